"""What pydantic-ai's saves leave in a log, and how they are found; read without pydantic-ai."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NotRequired, TypedDict

import msgspec

from turnlog.domain import events as e
from turnlog.domain.commit import Commit
from turnlog.domain.message_groups import side
from turnlog.domain.recorded import RecordedEvent
from turnlog.projections.keyed import KeyedProjection
from turnlog.projections.view import KEYED, View

SOURCE = "pydantic-ai"
SAVE = "save"

EVERY = "every"
"""The key under which all conversations are that somebody said something in."""

_SCOPE = "scope "


class NamedEntry(TypedDict):
    """An entry in a save. events: how many say it, of those before the save; said: numbers of the
    first and the last that do, where others recorded them.
    """

    id: str
    parent: str | None
    events: int
    message: dict[str, Any]
    said: NotRequired[tuple[int, int]]


class _Body(msgspec.Struct):
    record: dict[str, Any]
    entries: list[NamedEntry]


class Save(msgspec.Struct, frozen=True):
    """What one save left in the log. number: of its own event, the last of its commit. has_bytes:
    whether there can be any in it.
    """

    number: int
    has_bytes: bool
    record: dict[str, Any]
    entries: list[NamedEntry]

    @property
    def own(self) -> int:
        """Number of the first event of its own messages."""
        return self.number - sum(entry["events"] for entry in self.entries)

    @property
    def first(self) -> int:
        """The same, also of those that others recorded and that it names."""
        others = (entry["said"][0] for entry in self.entries if "said" in entry)
        return min(others, default=self.own)


def save_in(recorded: RecordedEvent) -> Save | None:
    """None where the event is not a save, whoever recorded it as one, or was redacted itself."""
    event = recorded.event
    if not isinstance(event, e.ForeignRecorded) or (event.source, event.kind) != (SOURCE, SAVE):
        return None
    body = bytes(event.body)
    try:
        held = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not held.record.keys() >= {"head_id", "revision"}:
        return None
    return Save(recorded.number, b'"binary"' in body, held.record, held.entries)


def of_scope(scope: str) -> str:
    """The key of the conversations that were saved with a scope."""
    return _SCOPE + scope


class EntriesProjection(KeyedProjection):
    """The saves that name an entry, by its id."""

    name: ClassVar[str] = "pydantic_ai_entries"

    def keys(self, recorded: RecordedEvent) -> Iterable[tuple[str, Any]]:
        save = save_in(recorded)
        return [] if save is None else [(entry["id"], None) for entry in save.entries]


class ConversationsProjection(KeyedProjection):
    """All conversations, and those of a scope, the one that was gone on with last first."""

    name: ClassVar[str] = "pydantic_ai_conversations"
    once: ClassVar[bool] = True

    def keys(self, recorded: RecordedEvent) -> Iterable[tuple[str, Any]]:
        save = save_in(recorded)
        if save is not None or side(recorded.event) is not None:
            yield EVERY, None
        if save is not None and (scope := save.record.get("scope")) is not None:
            yield of_scope(scope), None

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        """What others record goes on with a conversation in its scope too."""
        for commit in commits:
            super().apply((commit,), view)
            said = [each for each in commit.recorded_events() if side(each.event) is not None]
            for key, _ in [*view.entries(commit.conversation, KEYED + _SCOPE)] if said else ():
                self._put(view, said[-1], key.removeprefix(KEYED), None)

"""pydantic-ai's saves in a log, and how to find them; works without pydantic-ai installed."""

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
"""The key of all conversations with a message."""

_SCOPE = "scope "


class NamedEntry(TypedDict):
    """An entry in a save.

    events: how many of the events before the save say it. said: numbers of the first and the last
    event that say it, if others recorded them.
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
    """One save as the log contains it.

    number: of the save's event, the last of its commit. has_bytes: whether it may contain bytes.
    """

    number: int
    has_bytes: bool
    record: dict[str, Any]
    entries: list[NamedEntry]

    @property
    def own(self) -> int:
        """Number of the first event of the save's own messages."""
        return self.number - sum(entry["events"] for entry in self.entries)

    @property
    def first(self) -> int:
        """Like `own`, counting messages of others that the save names."""
        others = (entry["said"][0] for entry in self.entries if "said" in entry)
        return min(others, default=self.own)


def save_in(recorded: RecordedEvent) -> Save | None:
    """The save that an event records.

    None if the event is not a valid save, or was redacted itself.
    """
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
    """The saves that name an entry, by the entry's id."""

    name: ClassVar[str] = "pydantic_ai_entries"

    def keys(self, recorded: RecordedEvent) -> Iterable[tuple[str, Any]]:
        """The ids of the entries that an event's save names."""
        save = save_in(recorded)
        return [] if save is None else [(entry["id"], None) for entry in save.entries]


class ConversationsProjection(KeyedProjection):
    """All conversations, and those of each scope, the most recently continued first."""

    name: ClassVar[str] = "pydantic_ai_conversations"
    once: ClassVar[bool] = True

    def keys(self, recorded: RecordedEvent) -> Iterable[tuple[str, Any]]:
        """The keys under which an event puts its conversation."""
        save = save_in(recorded)
        if save is not None or side(recorded.event) is not None:
            yield EVERY, None
        if save is not None and (scope := save.record.get("scope")) is not None:
            yield of_scope(scope), None

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        """Moves a conversation up in its scope when others add messages to it, too."""
        for commit in commits:
            super().apply((commit,), view)
            said = [each for each in commit.recorded_events() if side(each.event) is not None]
            for key, _ in [*view.entries(commit.conversation, KEYED + _SCOPE)] if said else ():
                self._put(view, said[-1], key.removeprefix(KEYED), None)

"""Transcript: what all sides said, edited and redacted, with what was taken back marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from turnlog.domain import events as e
from turnlog.domain.commit import Commit
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.rewinds import taken_by
from turnlog.domain.traits import Rewind, Rewrite, Utterance
from turnlog.projections.view import View, numbered, reading

_REWIND = "to"
"""Only the entry of a rewind has it: the number of the event it went back to."""


class TranscriptProjection:
    """An entry for each message and each rewind, keyed by the number of its event."""

    name: ClassVar[str] = "transcript"

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        for commit in commits:
            for recorded in commit.recorded_events():
                _take(view, recorded)


def messages(view: View, conversation: str) -> Iterator[dict[str, Any]]:
    """A conversation's messages, oldest first.

    `{"event", "turn", "actor", "text", "data", "time", "taken_back"}`, and `edited` or `redacted`
    where it was. taken_back: whether a rewind went back to before it.
    """
    with reading(TranscriptProjection.name):
        entries = [entry for _, entry in view.entries(conversation)]
        rewinds = [(entry["event"], entry[_REWIND]) for entry in entries if _REWIND in entry]
        taken = taken_by(rewinds)
        for entry in entries:
            if _REWIND not in entry:
                yield {**entry, "taken_back": entry["event"] in taken}


def _take(view: View, recorded: RecordedEvent) -> None:
    event, id, key = recorded.event, recorded.conversation, numbered(recorded.number)
    if isinstance(event, Utterance | e.SystemInstructed):
        view.put(id, key, _message(recorded, event))
    elif isinstance(event, Rewrite):
        _rewrite(view, id, event, recorded.number)
    elif isinstance(event, Rewind):
        view.put(id, key, {"event": recorded.number, _REWIND: event.to})


def _message(recorded: RecordedEvent, event: Utterance | e.SystemInstructed) -> dict[str, Any]:
    return {
        "event": recorded.number,
        "turn": recorded.turn,
        "actor": recorded.actor,
        "text": event.text,
        "data": None if isinstance(event, e.SystemInstructed) else event.data,
        "time": event.timestamp,
    }


def _rewrite(view: View, conversation: str, event: Rewrite, number: int) -> None:
    """Change a message; a redacted one stays redacted."""
    entry = view.get(conversation, numbered(event.message))
    if entry is None or "redacted" in entry:
        return
    if isinstance(event, e.MessageRedacted):
        changed: dict[str, Any] = {"text": None, "data": None, "redacted": number}
    else:
        changed = {"text": event.text, "edited": number}
    if isinstance(event, e.MessageRegenerated):
        changed["data"] = event.data
    view.put(conversation, numbered(event.message), {**entry, **changed})

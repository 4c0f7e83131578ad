"""Transcript: what all sides said, edited and redacted, with what was taken back marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, get_args

from turnlog.domain import events as e
from turnlog.domain.actors import actor
from turnlog.domain.conversation import Commit
from turnlog.domain.rewinds import taken_by
from turnlog.domain.traits import Rewind
from turnlog.projections.view import View, numbered

_REWIND = "to"
"""Only the entry of a rewind has it: the number of the event it went back to."""


class TranscriptProjection:
    """An entry for each message and each rewind, keyed by the number of its event."""

    name: ClassVar[str] = "transcript"

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        for commit in commits:
            for recorded in commit.recorded_events():
                effect = _EFFECTS.get(type(recorded.event))
                if effect is not None:
                    effect(
                        view, commit.conversation, recorded.event, recorded.number, recorded.turn
                    )


def messages(view: View, conversation: str) -> Iterator[dict[str, Any]]:
    """A conversation's messages, oldest first.

    `{"event", "turn", "actor", "text", "data", "time", "taken_back"}`, and `edited` or `redacted`
    where it was. taken_back: whether a rewind went back to before it.
    """
    entries = [entry for _, entry in view.entries(conversation)]
    taken = taken_by([(entry["event"], entry[_REWIND]) for entry in entries if _REWIND in entry])
    for entry in entries:
        if _REWIND not in entry:
            yield {**entry, "taken_back": entry["event"] in taken}


def _said(view: View, conversation: str, event: Any, number: int, turn: int) -> None:
    message = {
        "event": number,
        "turn": turn,
        "actor": actor(event),
        "text": event.text,
        "data": getattr(event, "data", None),
        "time": event.timestamp,
    }
    view.put(conversation, numbered(number), message)


def _edited(view: View, conversation: str, event: Any, number: int, turn: int) -> None:
    changed: dict[str, Any] = {"text": event.text, "edited": number}
    if isinstance(event, e.MessageRegenerated):
        changed["data"] = event.data
    _change(view, conversation, event.message, changed)


def _redacted(view: View, conversation: str, event: Any, number: int, turn: int) -> None:
    _change(view, conversation, event.message, {"text": None, "data": None, "redacted": number})


def _change(view: View, conversation: str, message: int, changed: dict[str, Any]) -> None:
    """Change a message; a redacted one stays redacted."""
    entry = view.get(conversation, numbered(message))
    if entry is not None and "redacted" not in entry:
        view.put(conversation, numbered(message), {**entry, **changed})


def _rewound(view: View, conversation: str, event: Any, number: int, turn: int) -> None:
    view.put(conversation, numbered(number), {"event": number, _REWIND: event.to})


_EFFECTS: dict[type[e.Event], Callable[[View, str, Any, int, int], None]] = {
    e.UserUttered: _said,
    e.BotUttered: _said,
    e.AgentUttered: _said,
    e.SystemInstructed: _said,
    e.MessageEdited: _edited,
    e.MessageRegenerated: _edited,
    e.MessageRedacted: _redacted,
    **dict.fromkeys(get_args(Rewind), _rewound),
}

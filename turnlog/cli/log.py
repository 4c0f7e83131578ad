"""`turnlog log`: a conversation's events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log

COLUMNS = ("event", "turn", "time", "actor", "type", "text", "name", "value")


def log(id: Id) -> None:
    """Show every event of a conversation, those taken back too."""
    with open_log() as opened:
        output.lines(described(opened.conversation(id)), columns=COLUMNS)


def described(conversation: Any) -> Iterator[dict[str, Any]]:
    """Each event as JSON: its numbers, type, time and actor, then its own fields."""
    from turnlog.domain.actors import actor
    from turnlog.domain.events import UserUttered
    from turnlog.serializers.plain import to_plain

    turn = 0
    for number, event in enumerate(conversation.events(), 1):
        turn += isinstance(event, UserUttered)
        fields = to_plain(event)
        yield {
            "conversation": conversation.id,
            "event": number,
            "turn": turn,
            "type": fields.pop("type"),
            "time": fields.pop("timestamp", None),
            **fields,
            "actor": actor(event),
        }

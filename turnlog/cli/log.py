"""`turnlog log`: a conversation's events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log, settings

PROTOCOL = ("event", "turn", "time", "actor", "type", "says", "versions", "cause", "taken back")


def log(id: Id) -> None:
    """Show every event of a conversation, those taken back too, and by which event."""
    with open_log() as opened:
        found = protocol(opened.conversation(id))
        if settings().json:
            output.lines(found, columns=())
        else:
            output.lines(map(_told, found), columns=PROTOCOL)


def protocol(conversation: Any) -> Iterator[dict[str, Any]]:
    """Each event as JSON, with the number of the event that took it back where one did."""
    from turnlog.domain.rewinds import taken_back

    taken = taken_back(conversation.events())
    for line in described(conversation):
        by = taken.get(line["event"])
        yield line if by is None else {**line, "taken_back": by}


def _told(line: dict[str, Any]) -> dict[str, Any]:
    """A line for people: what the event says in one column."""
    shared = ("conversation", "event", "turn", "type", "time", "actor", "versions", "cause")
    said = {name: value for name, value in line.items() if name not in (*shared, "taken_back")}
    if isinstance(restored := said.get("restored"), dict) and "slots" in restored:
        said["restored"] = restored["slots"]
    text = said.pop("text", None)
    parts = [] if text is None else [text]
    parts += [f"{name}: {output.shown(value)}" for name, value in said.items()]
    versions = " ".join(f"{name} {value}" for name, value in line.get("versions", {}).items())
    by = line.get("taken_back")
    return {
        **line,
        "says": ", ".join(parts),
        "versions": versions,
        "taken back": by and f"by {by}",
    }


def described(conversation: Any) -> Iterator[dict[str, Any]]:
    """Each event as JSON: its numbers, type, time and actor, then its own fields.

    What was redacted is there without its words.
    """
    from turnlog.domain.actors import actor
    from turnlog.domain.events import UserUttered
    from turnlog.domain.redactions import redacted, without_words
    from turnlog.serializers.plain import to_plain

    turn, events = 0, list(conversation.events())
    hidden = redacted(events)
    for number, event in enumerate(events, 1):
        turn += isinstance(event, UserUttered)
        fields = to_plain(without_words(event) if number in hidden else event)
        yield {
            "conversation": conversation.id,
            "event": number,
            "turn": turn,
            "type": fields.pop("type"),
            "time": fields.pop("timestamp", None),
            **fields,
            **({"redacted": True} if number in hidden else {}),
            "actor": actor(event),
        }

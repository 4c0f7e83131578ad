"""A conversation as people read it: who said what, after edits and rewinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from turnlog.cli import output

if TYPE_CHECKING:
    from turnlog.domain.events import Event


def dialogue(conversation: Any) -> dict[str, Any]:
    """Messages and calls, as edited, without rewound turns."""
    from turnlog.domain.counted import counted
    from turnlog.domain.events import AnswerBrokenOff, ToolCalled, ToolReturned
    from turnlog.domain.traits import Part, Utterance

    events = list(conversation.recorded())
    counting = counted(events, ("errors", "redacted"))
    as_edited = dict(zip(counting.numbers, counting.events, strict=True))
    spoken = Utterance | Part | ToolCalled | ToolReturned | AnswerBrokenOff
    lines = [
        recorded.as_dict() | _text(as_edited[recorded.number])
        for recorded in events
        if isinstance(as_edited.get(recorded.number), spoken)
    ]
    first = {"conversation": conversation.id, "turn": conversation.turn}
    return {**first, "event": conversation.state.event, "dialogue": lines}


def _text(event: Event) -> dict[str, str]:
    text = getattr(event, "text", None)
    return {} if text is None else {"text": text}


def print_dialogue(found: dict[str, Any]) -> None:
    """Each turn's lines, each message after its speaker."""
    turn = None
    for line in found["dialogue"]:
        if line["turn"] != turn:
            turn = line["turn"]
            output.say(f"turn {turn}")
        speaker = f"  {line['actor']}: "
        first, *rest = _says(line)
        output.say(speaker + first)
        for more in rest:
            output.say(" " * len(speaker) + more)


def _says(line: dict[str, Any]) -> Iterator[str]:
    """The text of an event, line by line."""
    if line.get("redacted"):
        yield "(redacted)"
    elif line["type"] == "ToolCalled":
        yield f"calls {line['name']} {output.shown(line.get('arguments'))}"
    elif line["type"] == "ToolReturned":
        yield output.shown(line.get("result"))
    elif line["type"] == "ReasoningAdded":
        yield f"(thinks) {line.get('text') or ''}".rstrip()
    elif line["type"] == "MediaAdded":
        where = line.get("filename") or line.get("uri") or line.get("sha256") or ""
        yield f"({line['kind']}) {where}".rstrip()
    elif line["type"] == "OpaqueAdded":
        yield f"({line['source']} {line['kind']})"
    elif line["type"] == "AnswerBrokenOff":
        yield f"(broken off) {line.get('reason') or ''}".rstrip()
    else:
        yield from (line.get("text") or "").split("\n")
        if line.get("data"):
            yield output.shown(line["data"])

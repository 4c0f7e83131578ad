"""The dialogue in the audit report: what was said, done, altered and taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, get_args

from turnlog.audit.protocol import details
from turnlog.domain import events as e
from turnlog.domain.recorded import TracedEvent
from turnlog.domain.traits import Part, Rewind, Rewrite, Utterance
from turnlog.reports.html import Child, Element, element
from turnlog.reports.text import Clockface
from turnlog.reports.values import json_text, named_values, number

MessageEvent = Utterance | e.SystemInstructed
Rewrites = Sequence[tuple[int, Rewrite]]
_ASIDE = (
    e.ActionExecuted, e.ActionRejected, e.ToolCalled, e.ToolReturned, e.SlotSet, e.SlotsReset,
    e.BotFailed, e.HandoverStarted, e.HandoverEnded, e.ConversationPaused, e.ConversationResumed,
    e.MessageRated, e.MessageUnderstood, e.LoopActivated, e.DeliveryFailed, e.AnswerMeasured,
    e.AnswerBrokenOff, e.AnswerEnded, e.AgentStarted, e.AgentEnded, e.ApprovalAsked,
    e.ApprovalGiven, e.HistoryCompacted, e.RunInterrupted, e.RunResumed, e.ForeignStateChanged,
    e.AiDisclosed, e.IncidentReported, e.OutcomeRecorded, e.ConversationExported, *get_args(Part),
)  # fmt: skip
Division = (
    e.SessionStarted | e.SessionExpired | e.SessionEnded | e.ConversationRestarted
    | e.ConversationDeleted | Rewind
)  # fmt: skip


class _Marks(NamedTuple):
    """Rewrites and faults of messages, by the number of the event."""

    rewrites: Mapping[int, Rewrites]
    altered: Mapping[int, str]
    face: Clockface


def dialogue(
    lines: Sequence[TracedEvent], altered: Mapping[int, str], face: Clockface
) -> Iterator[Element]:
    """The dialogue, turn by turn. altered: faults of altered events, by number."""
    marks = _Marks(_rewrites(lines), altered, face)
    for turn, group in groupby(lines, key=lambda line: line.turn):
        shown = [part for line in group for part in _shown(line, marks)]
        if shown:
            yield element("div", f"turn {turn}" if turn else "before the first turn", class_="turn")
            yield from shown


def _rewrites(lines: Sequence[TracedEvent]) -> Mapping[int, Rewrites]:
    """The edits, regenerations and redactions of each message, with their numbers."""
    rewrites: dict[int, list[tuple[int, Rewrite]]] = {}
    for line in lines:
        if isinstance(line.event, Rewrite):
            rewrites.setdefault(line.event.message, []).append((line.number, line.event))
    return rewrites


def _shown(line: TracedEvent, marks: _Marks) -> Iterator[Element]:
    if isinstance(line.event, MessageEvent):
        yield _message(line, line.event, marks)
    elif isinstance(line.event, Division):
        said = [_division(line.event), _notes(line, marks)]
        yield element("div", said, class_=_classes("divider", line, marks))
    elif isinstance(line.event, _ASIDE) or line.number in marks.altered:
        yield element(
            "div",
            number(line),
            _aside(line),
            _notes(line, marks),
            class_=_classes("aside", line, marks),
        )


def _message(line: TracedEvent, event: MessageEvent, marks: _Marks) -> Element:
    rewrites = marks.rewrites.get(line.number, [])
    text: Child = element("s", event.text or "") if rewrites else event.text or ""
    if line.redacted:
        text = element("span", "redacted", class_="none")
    texts = [element("p", text, class_="said"), *(_rewriting(*rewrite) for rewrite in rewrites)]
    data = getattr(event, "data", None)
    time = element("span", _time(line, marks.face), class_="time")
    return element(
        "div",
        element("div", line.actor, time, _notes(line, marks), number(line), class_="who"),
        texts,
        element("p", json_text(data), class_="data") if data else None,
        class_=_classes(f"message {_side(line.event)}", line, marks),
    )


def _time(line: TracedEvent, face: Clockface) -> str:
    """The event's own time, and the log's clock if it differs."""
    own, recorded = line.event.timestamp, face.at(line.recorded)
    if own is None:
        return f"no own time; recorded {recorded}"
    said = face.at(own)
    return said if said == recorded else f"{said} by its own account; recorded {recorded}"


def _rewriting(number: int, event: Rewrite) -> Element:
    if isinstance(event, e.MessageRedacted):
        reason = f": {event.reason}" if event.reason else ""
        return element("p", f"redacted by event {number}{reason}", class_="change")
    verb = "edited" if isinstance(event, e.MessageEdited) else "regenerated"
    note = element("span", f" ({verb} by event {number})", class_="change")
    return element("p", event.text or "", note, class_="said")


def _side(event: e.Event) -> str:
    sides = {e.UserUttered: "user", e.AgentUttered: "agent", e.SystemInstructed: "system"}
    return sides.get(type(event), "bot")


def _classes(name: str, line: TracedEvent, marks: _Marks) -> str:
    gone = " gone" if line.taken_back else ""
    hidden = " redacted" if line.redacted else ""
    return f"{name}{gone}{hidden}{' altered' if line.number in marks.altered else ''}"


def _notes(line: TracedEvent, marks: _Marks) -> Element | None:
    """What took the event back, its branch, and its fault."""
    notes = [f"taken back by event {line.taken_back}"] if line.taken_back else []
    notes += [f"branch {line.branch}, turn {line.branch_turn} on it"] if line.branch else []
    notes += [f"altered: {why}" for why in [marks.altered.get(line.number)] if why]
    return element("span", "; ".join(notes), class_="note") if notes else None


def _division(event: Division) -> str:
    match event:
        case e.SessionStarted():
            return "a session began" + (f": {event.reason}" if event.reason else "")
        case e.SessionExpired():
            return "the session expired"
        case e.SessionEnded():
            return "the session ended" + (f": {event.reason}" if event.reason else "")
        case e.ConversationRestarted():
            return "the conversation began again"
        case e.ConversationDeleted():
            return "the conversation was deleted" + (f": {event.reason}" if event.reason else "")
        case e.ActionReverted():
            return f"the last action was undone: back to event {event.to}"
        case e.UserUtteranceReverted():
            return f"the user's message was taken back: back to event {event.to}"
        case e.HistoryReplaced():
            return f"the history was replaced from event {event.to + 1} on"
        case e.HistoryContinued():
            return f"the conversation continued from event {event.to}{_where(event)}"


def _where(event: e.HistoryContinued) -> str:
    branch = "" if event.branch is None else f", on the branch {event.branch!r}"
    fork = "" if event.conversation is None else ", of the origin of this fork"
    return branch + fork + (f": {event.reason}" if event.reason else "")


def _aside(line: TracedEvent) -> list[Child]:
    event = line.event
    match event:
        case e.SlotSet() | e.SlotsReset():
            chips: list[Child] = [_chip(name, pair) for name, pair in line.slots.items()]
            nothing = "redacted" if line.redacted else "changed nothing"
            return chips or [f"{type(event).__name__} {nothing}"]
        case e.ToolCalled():
            return ["calls ", element("b", event.name), f" {json_text(event.arguments)}"]
        case e.ToolReturned():
            failed = "failed: " if event.is_error else "gave "
            return [element("b", event.name or "the tool"), f" {failed}{json_text(event.result)}"]
        case e.ActionExecuted():
            return ["does ", element("b", event.name or event.action_text or "")]
        case e.ReasoningAdded():
            return [f"thinks {event.text or ''}"]
        case e.MediaAdded():
            return [f"shows {event.kind} {event.filename or event.uri or event.mime or ''}"]
        case e.MessageUnderstood():
            intent = event.intent.name if event.intent else None
            entities = [f"{entity.entity}={json_text(entity.value)}" for entity in event.entities]
            return [f"understands {', '.join([intent or 'no intent', *entities])}"]
    return [f"{type(event).__name__} {named_values(details(event))}"]


def _chip(name: str, pair: tuple[Any, Any]) -> Element:
    before, after = pair
    old: list[Child] = [element("s", json_text(before)), " "] if before is not None else []
    new = element("span", "no value", class_="none") if after is None else json_text(after)
    return element("span", element("b", name), " ", old, new, class_="chip")

"""The audit report: conversations on one page that needs no other file, fit to print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from typing import Any, get_args

import msgspec

from turnlog.audit.fault import Fault
from turnlog.audit.protocol import details
from turnlog.audit.verify import Verification
from turnlog.domain import events as e
from turnlog.domain.recorded import TracedEvent
from turnlog.domain.traits import Part, Rewind, Rewrite, Utterance
from turnlog.reports.html import Child, Element, element, page
from turnlog.reports.text import when
from turnlog.serializers.shared.plain import dumps, to_plain

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


class ConversationAudit(msgspec.Struct, frozen=True):
    """A conversation for the report; events: as far as it can be read, oldest first."""

    id: str
    events: Sequence[TracedEvent]
    verification: Verification


CSS = files("turnlog.reports").joinpath("audit.css").read_text()


def report(audited: Iterable[ConversationAudit]) -> bytes:
    """One page: a summary, then each conversation."""
    sections = list(audited)
    names = ", ".join(one.id for one in sections[:3]) + (", …" if len(sections) > 3 else "")
    return page(
        f"Audit of {names}",
        CSS,
        element("header", element("h1", "Audit"), _summary(sections)),
        map(_conversation, sections),
    )


def _summary(sections: Sequence[ConversationAudit]) -> Element:
    titles = ("conversation", "turns", "events", "versions", "first", "last", "verified")
    rows = [element("tr", *(element("th", title) for title in titles))]
    for one in sections:
        lines = one.events
        times = [line.event.timestamp for line in lines if line.event.timestamp is not None]
        last = lines[-1] if lines else None
        cells: list[Child] = [one.id, *((last.turn, last.number, last.version) if last else "000")]
        cells += [when(min(times)), when(max(times))] if times else ["–", "–"]
        rows.append(element("tr", *(element("td", c) for c in [*cells, _badge(one.verification)])))
    return element("table", rows, class_="summary")


def _badge(verification: Verification) -> Element:
    if verification.ok:
        return element("span", "whole", class_="badge fine")
    return element("span", f"faults: {len(verification.faults)}", class_="badge bad")


def _conversation(one: ConversationAudit) -> Element:
    lines = one.events
    return element(
        "section",
        element("h2", one.id, " ", _badge(one.verification)),
        _faults(one.verification.faults),
        _ran(lines),
        element("h3", "Dialogue"),
        element("div", _dialogue(lines), class_="dialogue"),
        element("h3", "Slots, turn by turn"),
        _slots(lines),
        element("h3", "Protocol"),
        _protocol(lines),
    )


def _faults(faults: Sequence[Fault]) -> Element | None:
    if not faults:
        return None
    items = [
        element("li", f"event {fault.event}: " if fault.event else "", fault.what)
        for fault in faults
    ]
    return element("ul", items, class_="faults")


def _ran(lines: Sequence[TracedEvent]) -> Element | None:
    """What versions of code, model and prompt the events name, with the events."""
    known = [line for line in lines if line.event.versions is not None]
    if not known:
        return None
    parts = []
    for versions, group in groupby(known, key=lambda line: line.event.versions):
        numbers = [line.number for line in group]
        named = ", ".join(f"{name} {value}" for name, value in to_plain(versions).items())
        parts.append(element("li", f"events {numbers[0]}–{numbers[-1]}: {named}"))
    return element("ul", parts, class_="versions")


# --- the dialogue -------------------------------------------------------------------------------


def _dialogue(lines: Sequence[TracedEvent]) -> Iterator[Element]:
    rewrites = _rewrites(lines)
    for turn, group in groupby(lines, key=lambda line: line.turn):
        shown = [part for line in group for part in _shown(line, rewrites)]
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


def _shown(line: TracedEvent, rewrites: Mapping[int, Rewrites]) -> Iterator[Element]:
    if isinstance(line.event, MessageEvent):
        yield _message(line, line.event, rewrites.get(line.number, []))
    elif isinstance(line.event, Division):
        yield element("div", _division(line.event), class_=_classes("divider", line))
    elif isinstance(line.event, _ASIDE):
        yield element("div", _number(line), _aside(line), class_=_classes("aside", line))


def _message(line: TracedEvent, event: MessageEvent, rewrites: Rewrites) -> Element:
    who = line.actor
    text: Child = element("s", event.text or "") if rewrites else event.text or ""
    if line.redacted:
        text = element("span", "redacted", class_="none")
    texts = [element("p", text, class_="said"), *(_rewriting(*rewrite) for rewrite in rewrites)]
    data = getattr(event, "data", None)
    return element(
        "div",
        element("div", who, _time(line), _note(line), _number(line), class_="who"),
        texts,
        element("p", _json(data), class_="data") if data else None,
        class_=_classes(f"message {_side(line.event)}", line),
    )


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


def _classes(name: str, line: TracedEvent) -> str:
    return f"{name} gone" if line.taken_back else name


def _time(line: TracedEvent) -> Element:
    return element("span", _when(line), class_="time")


def _note(line: TracedEvent) -> Element | None:
    if line.taken_back is None:
        return None
    return element("span", f"taken back by event {line.taken_back}", class_="note")


def _number(line: TracedEvent) -> Element:
    return element("span", f"#{line.number}", class_="number")


def _division(event: Division) -> str:
    match event:
        case e.SessionStarted():
            return "a session began" + (f": {event.reason}" if event.reason else "")
        case e.SessionExpired():
            return "the session expired"
        case e.SessionEnded():
            return "the session ended" + (f": {event.reason}" if event.reason else "")
        case e.ConversationRestarted():
            return "the conversation began anew"
        case e.ConversationDeleted():
            return "the conversation was deleted" + (f": {event.reason}" if event.reason else "")
        case e.ActionReverted():
            return f"the last action was undone: back to event {event.to}"
        case e.UserUtteranceReverted():
            return f"the user's message was taken back: back to event {event.to}"
        case e.HistoryReplaced():
            return f"the history was replaced from event {event.to + 1} on"
        case e.HistoryContinued():
            return f"the conversation went on from event {event.to}{_where(event)}"


def _where(event: e.HistoryContinued) -> str:
    branch = "" if event.branch is None else f", on the branch {event.branch!r}"
    fork = "" if event.conversation is None else ", of the conversation that this is a fork of"
    return branch + fork + (f": {event.reason}" if event.reason else "")


def _aside(line: TracedEvent) -> list[Child]:
    event = line.event
    match event:
        case e.SlotSet() | e.SlotsReset():
            chips: list[Child] = [_chip(name, pair) for name, pair in line.slots.items()]
            return chips or [f"{type(event).__name__} changed nothing"]
        case e.ToolCalled():
            return ["calls ", element("b", event.name), f" {_json(event.arguments)}"]
        case e.ToolReturned():
            failed = "failed: " if event.is_error else "gave "
            return [element("b", event.name or "the tool"), f" {failed}{_json(event.result)}"]
        case e.ActionExecuted():
            return ["does ", element("b", event.name or event.action_text or "")]
        case e.ReasoningAdded():
            return [f"thinks {event.text or ''}"]
        case e.MediaAdded():
            return [f"shows {event.kind} {event.filename or event.uri or event.mime or ''}"]
        case e.MessageUnderstood():
            intent = event.intent.name if event.intent else None
            entities = [f"{entity.entity}={_json(entity.value)}" for entity in event.entities]
            return [f"understands {', '.join([intent or 'no intent', *entities])}"]
    return [f"{type(event).__name__} {_values(details(event))}"]


def _chip(name: str, pair: tuple[Any, Any]) -> Element:
    before, after = pair
    old: list[Child] = [element("s", _json(before)), " "] if before is not None else []
    new = element("span", "no value", class_="none") if after is None else _json(after)
    return element("span", element("b", name), " ", old, new, class_="chip")


# --- tables -------------------------------------------------------------------------------------


def _slots(lines: Sequence[TracedEvent]) -> Element:
    """Each change with its turn, and the event that is why."""
    titles = ("slot", "turn", "before", "after", "why", "when")
    rows = [element("tr", *(element("th", title) for title in titles))]
    for line in lines:
        for name, (before, after) in line.slots.items():
            why: list[Child] = [_number(line), f" {type(line.event).__name__}"]
            why += [f", caused by #{line.event.cause}"] if line.event.cause else []
            cells = (name, line.turn, _value(before), _value(after), why, _when(line))
            row = [element("td", cell) for cell in cells]
            rows.append(element("tr", row, class_="gone" if line.taken_back else ""))
    if len(rows) == 1:
        return element("p", "No slot was ever set.", class_="none")
    return element("table", rows, class_="slots")


def _when(line: TracedEvent) -> str:
    time = line.event.timestamp
    return "" if time is None else when(time)


def _value(value: Any) -> Child:
    return element("span", "–", class_="none") if value is None else _json(value)


def _protocol(lines: Sequence[TracedEvent]) -> Element:
    titles = ("event", "turn", "version", "time", "actor", "what", "cause")
    rows = [element("tr", *(element("th", title) for title in titles))]
    for line in lines:
        event = line.event
        taken = f" (taken back by #{line.taken_back})" if line.taken_back else ""
        what = [element("b", type(event).__name__), taken, " ", _values(details(event))]
        cause = f"#{event.cause}" if event.cause else ""
        cells: tuple[Any, ...] = (
            line.number, line.turn, line.version, _when(line), line.actor, what, cause
        )  # fmt: skip
        row = [element("td", cell) for cell in cells]
        rows.append(element("tr", row, class_="gone" if line.taken_back else ""))
    return element("table", rows, class_="protocol")


def _values(fields: dict[str, Any]) -> str:
    return ", ".join(f"{name}: {_json(value)}" for name, value in fields.items())


def _json(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value).decode()

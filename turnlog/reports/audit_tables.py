"""The tables of a conversation in the audit report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from turnlog.audit.protocol import details
from turnlog.domain import events as e
from turnlog.domain.recorded import RecordedEvent, TracedEvent
from turnlog.reports.html import Child, Element, element
from turnlog.reports.text import Clockface
from turnlog.reports.values import json_text, moment, named_values, number

ACCOUNTABLE = (
    e.AccessRecordingSet, e.ContentErased, e.ErasureRecorded, e.HoldPlaced, e.HoldReleased,
    e.ProcessingRestricted, e.RestrictionLifted, e.RetentionRulesSet,
    e.AiDisclosed, e.ApprovalAsked, e.ApprovalGiven, e.BotFailed, e.ConversationDeleted,
    e.ConversationExported, e.EventErased, e.HandoverEnded, e.HandoverStarted,
    e.IncidentReported, e.LogRebuilt, e.MessageRedacted, e.OutcomeRecorded, e.TailLost,
)  # fmt: skip
"""What someone answers for: disclosures, approvals, hand-overs, exports, redactions, erasures."""

LONG = 24
"""The characters in a table's text above which it may break anywhere."""


def account(title: str, lines: Iterable[RecordedEvent], face: Clockface) -> list[Element]:
    """Who did something accountable, when and why; empty if no one did."""
    found = [line for line in lines if isinstance(line.event, ACCOUNTABLE)]
    if not found:
        return []
    rows = [
        (number(line), moment(face, line.recorded), line.actor, _said(line.event)) for line in found
    ]
    made = table("account", ("event", "recorded", "by", "what"), rows)
    return [element("h3", title), made]


def recipients(exports: Sequence[dict[str, Any]], face: Clockface) -> list[Element]:
    """Who received the conversations; empty if no one did."""
    if not exports:
        return []
    rows = [
        (moment(face, x["time"]), x["recipient"], x["purpose"] or "", x["format"] or "",
         ", ".join(x["conversations"]))
        for x in exports
    ]  # fmt: skip
    titles = ("when", "to whom", "for what", "as", "conversations")
    return [element("h3", "Who received it"), table("account", titles, rows)]


def reads(found: Sequence[dict[str, Any]], face: Clockface) -> list[Element]:
    """Who read the conversations; empty if no one did, or if the log does not record it."""
    if not found:
        return []
    rows = [(moment(face, x["time"]), x["actor"], x["way"], x["reason"] or "") for x in found]
    return [element("h3", "Who read it"), table("account", ("when", "who", "how", "why"), rows)]


def slots(lines: Sequence[TracedEvent], face: Clockface) -> Element:
    """Each change of a slot with its turn, and the event that caused it."""
    rows = [
        (name, line.turn, _value(before), _value(after), _why(line), moment(face, line.recorded))
        for line in lines
        for name, (before, after) in line.slots.items()
    ]
    if not rows:
        return element("p", "No slot was ever set.", class_="none")
    gone = [bool(line.taken_back) for line in lines for _ in line.slots]
    titles = ("slot", "turn", "before", "after", "why", "recorded")
    return table("slots", titles, rows, ["gone" if each else "" for each in gone])


def _why(line: TracedEvent) -> list[Child]:
    caused = f", caused by #{line.event.cause}" if line.event.cause else ""
    return [number(line), f" {type(line.event).__name__}{caused}"]


def _value(value: Any) -> Child:
    return element("span", "–", class_="none") if value is None else json_text(value)


PROTOCOL = (
    "event", "turn", "commit", "own time", "recorded", "actor", "channel", "message id", "what",
    "cause",
)  # fmt: skip


def protocol(lines: Sequence[TracedEvent], altered: Mapping[int, str], face: Clockface) -> Element:
    """Every event. altered: faults of altered events, by number."""
    rows = [_line(line, altered.get(line.number), face) for line in lines]
    marks = [
        " ".join(("gone",) * bool(line.taken_back) + ("altered",) * (line.number in altered))
        for line in lines
    ]
    return table("protocol", PROTOCOL, rows, marks)


def _line(line: TracedEvent, altered: str | None, face: Clockface) -> tuple[Any, ...]:
    event = line.event
    taken = f" (taken back by #{line.taken_back})" if line.taken_back else ""
    wrong = element("span", f"altered: {altered}", class_="change") if altered else None
    what = [element("b", type(event).__name__), taken, " ", _said(event, named=False), wrong]
    where = "".join(f" {value}" for value in line.place.values())
    cause = f"#{event.cause}" if event.cause else ""
    return (
        line.number, f"{line.turn}{where}", line.version, moment(face, event.timestamp),
        moment(face, line.recorded), line.actor, event.channel or "", event.message_id or "", what,
        cause,
    )  # fmt: skip


def _said(event: e.Event, *, named: bool = True) -> str:
    """named: with the type in front."""
    says = named_values(details(event))
    return f"{type(event).__name__} {says}" if named else says


def table(
    name: str,
    titles: Sequence[str],
    rows: Iterable[Sequence[Child | list[Child]]],
    classes: Sequence[str] = (),
) -> Element:
    """A table. classes: one for each row."""
    head = element("thead", element("tr", (element("th", title) for title in titles)))
    body = [element("tr", (_cell(cell) for cell in row)) for row in rows]
    for row, class_ in zip(body, classes, strict=False):
        if class_:
            row.set("class", class_)
    return element("table", head, element("tbody", body), class_=name)


def _cell(child: Child | list[Child]) -> Element:
    """A cell. Only long texts and cells of several elements may break within words."""
    free = isinstance(child, list) or (isinstance(child, str) and len(child) > LONG)
    return element("td", child, class_="free") if free else element("td", child)

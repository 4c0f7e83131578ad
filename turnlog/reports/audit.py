"""The audit report: conversations on one page that needs no other file and can be printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import groupby

from turnlog.audit.conversation_audit import ConversationAudit
from turnlog.audit.fault import Fault
from turnlog.audit.provenance import Provenance
from turnlog.audit.verify import Verification
from turnlog.domain.plain import to_plain
from turnlog.domain.recorded import RecordedEvent, TracedEvent
from turnlog.reports.audit_dialogue import dialogue
from turnlog.reports.audit_tables import account, protocol, reads, recipients, slots
from turnlog.reports.html import Child, Element, css_text, element, page
from turnlog.reports.text import Clockface
from turnlog.reports.values import moment

CSS = files("turnlog.reports").joinpath("audit.css").read_text()


def report(
    audited: Iterable[ConversationAudit],
    made: Provenance,
    upkeep: Sequence[RecordedEvent] = (),
) -> bytes:
    """The page: provenance, a summary, what was done to the log, and each conversation."""
    sections, face = list(audited), Clockface(made.zone)
    names = ", ".join(one.id for one in sections[:3]) + (", …" if len(sections) > 3 else "")
    return page(
        f"Audit of {names}",
        CSS + margins(made),
        element(
            "header", element("h1", "Audit"), provenance_table(made, face), _summary(sections, face)
        ),
        _scope(made),
        _legend(),
        account("Done to the log", upkeep, face),
        (_conversation(one, face) for one in sections),
    )


# --- the cover ----------------------------------------------------------------------------------


def margins(made: Provenance) -> str:
    """The style that prints the provenance on every page."""
    face = Clockface(made.zone)
    left = [f"log {made.log}", f"head {made.head} · {made.range}"]
    right = [f"made {face.at(made.made)}", f"by {made.by:.40}, turnlog {made.version} · page "]
    return (
        f"\n@page {{ @bottom-left {{ content: {_lines(left)}; }}"
        f" @bottom-right {{ content: {_lines(right)} counter(page) ' of ' counter(pages); }} }}\n"
    )


def _lines(texts: Sequence[str]) -> str:
    return ' "\\a " '.join(map(css_text, texts))


def provenance_table(made: Provenance, face: Clockface) -> Element:
    """The provenance of the report as a table."""
    rows = {
        "log": made.log,
        "positions": made.range,
        "head": made.head,
        "anchored": made.anchored or "no: the head was not compared with one kept elsewhere",
        "made": f"{face.at(made.made)} by {made.by}, with turnlog {made.version}",
        "times": face.says,
    }
    lines = (element("tr", element("th", name), element("td", v)) for name, v in rows.items())
    return element("table", lines, class_="provenance")


def _summary(sections: Sequence[ConversationAudit], face: Clockface) -> Element:
    titles = ("conversation", "turns", "events", "commits", "first", "last", "verified")
    rows = [element("tr", *(element("th", title) for title in titles))]
    for one in sections:
        lines = one.events
        last = lines[-1] if lines else None
        cells: list[Child] = [one.id, *((last.turn, last.number, last.version) if last else "000")]
        cells += (
            [moment(face, lines[0].recorded), moment(face, lines[-1].recorded)]
            if lines
            else ["–", "–"]
        )
        rows.append(element("tr", *(element("td", c) for c in [*cells, _badge(one.verification)])))
    return element("table", rows, class_="summary")


def _badge(verification: Verification) -> Element:
    if verification.ok:
        return element("span", "whole", class_="badge fine")
    return element("span", f"faults: {len(verification.faults)}", class_="badge bad")


_WHOLE = (
    "“Whole” means that each row names the digest of the row before it, that each event has the "
    "content that its row was sealed with, that numbers of events, turns and versions have no gap, "
    "and that the state follows from replaying the events."
)
_NOT_WHOLE = (
    "It does not say that the events’ claims are true: an import’s times and texts are those of "
    "its source. "
)
_NOT_ANCHORED = (
    "It does not exclude that someone with write access wrote the whole log again: that takes a "
    "head kept elsewhere."
)


def _scope(made: Provenance) -> Element:
    outside = "" if made.anchored else _NOT_ANCHORED
    return element("p", _WHOLE, " ", _NOT_WHOLE, outside, class_="scope")


def _legend() -> Element:
    marks = (
        ("own time", "when the event says it happened: its source’s clock"),
        ("recorded", "when the log wrote it: the log’s clock"),
        ("taken back", "a later event undid it; it no longer counts but stays in the log"),
        ("redacted", "its words are hidden from every view; they are still in the log"),
        ("erased", "its words are permanently gone; number, type and time stay"),
        ("altered", "it is not what was recorded: see the faults"),
    )
    items = (element("li", element("b", name), f": {what}") for name, what in marks)
    return element("ul", items, class_="legend")


# --- one conversation ---------------------------------------------------------------------------


def _conversation(one: ConversationAudit, face: Clockface) -> Element:
    lines, faults = one.events, one.verification.faults
    altered = {fault.event: fault.what for fault in faults if fault.event}
    return element(
        "section",
        element("h2", one.id, " ", _badge(one.verification)),
        _faults(faults),
        _ran(lines),
        element("h3", "Dialogue"),
        element("div", dialogue(lines, altered, face), class_="dialogue"),
        element("h3", "Slots, turn by turn"),
        slots(lines, face),
        account("To be accounted for", lines, face),
        recipients(one.exports, face),
        reads(one.reads, face),
        element("div", element("h3", "Protocol"), protocol(lines, altered, face), class_="wide"),
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
    """The versions of code, model and prompt that events name, with those events."""
    known = [line for line in lines if line.event.versions is not None]
    if not known:
        return None
    parts = []
    for versions, group in groupby(known, key=lambda line: line.event.versions):
        numbers = [line.number for line in group]
        named = ", ".join(f"{name} {value}" for name, value in to_plain(versions).items())
        parts.append(element("li", f"events {numbers[0]}–{numbers[-1]}: {named}"))
    return element("ul", parts, class_="versions")

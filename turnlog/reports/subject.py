"""What a person receives who asks what a log contains about them: a page, JSON, and a letter."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from turnlog.audit.provenance import Provenance
from turnlog.audit.subject import PersonRecord, SubjectConversation
from turnlog.domain import events as e
from turnlog.domain.amounts import amount
from turnlog.domain.fold import Fold
from turnlog.domain.recorded import TracedEvent
from turnlog.reports.audit import margins, provenance_table
from turnlog.reports.audit_dialogue import dialogue
from turnlog.reports.audit_tables import recipients, table
from turnlog.reports.html import Child, Element, element, page
from turnlog.reports.text import Clockface
from turnlog.reports.values import json_text

CSS = files("turnlog.reports").joinpath("audit.css").read_text()


def as_json(subject: PersonRecord, made: Provenance) -> dict[str, Any]:
    """The person's data in a structured, common, machine-readable form (GDPR, Article 20)."""
    return {
        "person": subject.person,
        "names": list(subject.names),
        "made": made.made,
        "by": made.by,
        "log": made.log,
        "conversations": [_conversation(one) for one in subject.conversations],
        "recipients": list(subject.exports),
    }


def _conversation(one: SubjectConversation) -> dict[str, Any]:
    return {
        "conversation": one.id,
        "life": one.life,
        "deleted": one.deleted,
        "channels": one.channels,
        "events": [line.as_dict() for line in one.events],
        "events about others": one.others,
    }


def as_page(subject: PersonRecord, made: Provenance) -> bytes:
    """The person's data as an HTML page."""
    face = Clockface(made.zone)
    return page(
        f"What is recorded about {subject.person}",
        CSS + margins(made),
        element("header", element("h1", "What is recorded about you"), _about(subject, made, face)),
        _recipients(subject, face),
        (_section(one, face) for one in subject.conversations if one.events),
    )


def _about(subject: PersonRecord, made: Provenance, face: Clockface) -> list[Element]:
    rows = [
        (one.id, ", ".join(one.channels), len(one.events), _state(one))
        for one in subject.conversations
    ]
    known = f"Known as {', '.join(subject.names)}."
    titles = ("conversation", "channels", "events", "")
    return [element("p", known), provenance_table(made, face), table("summary", titles, rows)]


def _state(one: SubjectConversation) -> str:
    hidden = "deleted: hidden, still in the log; " if one.deleted else ""
    others = f"{amount(one.others, 'event')} about others omitted" if one.others else ""
    return (hidden + others).removesuffix("; ")


def _recipients(subject: PersonRecord, face: Clockface) -> list[Element]:
    none = element("p", "No export is recorded.", class_="none")
    return recipients(subject.exports, face) or [none]


def _section(one: SubjectConversation, face: Clockface) -> Element:
    talk = element("div", dialogue(one.events, {}, face), class_="dialogue")
    return element("section", element("h2", one.id), talk)


# --- the letter ---------------------------------------------------------------------------------


def as_letter(subject: PersonRecord, made: Provenance, slot: str | None = None) -> bytes:
    """An HTML letter that explains in sentences how values came about.

    slot: the one slot to explain; None for all.
    """
    face = Clockface(made.zone)
    sentences = [part for one in subject.conversations for part in _explained(one, slot, face)]
    none = element("p", "No value that a decision could rest on is recorded.", class_="none")
    return page(
        f"Explanation for {subject.person}",
        CSS + margins(made),
        element("header", element("h1", "How these values came about")),
        element("p", f"For {subject.person}, {face.at(made.made)}, by {made.by}."),
        sentences or [none],
        element("p", _RIGHTS, class_="scope"),
    )


_RIGHTS = (
    "Each sentence follows from the record and names the event it rests on. The record is kept so "
    "that a later change would show. You may ask for a person to review the decision, give your "
    "view, and contest it."
)


def _explained(one: SubjectConversation, slot: str | None, face: Clockface) -> Iterator[Element]:
    events = [line.event for line in one.every]
    state = Fold(lambda: events).take(events)
    sentences = [
        _sentence(one, name, state.slots[name], number, face)
        for name, number in sorted(state.context.since.items())
        if slot in (None, name) and name in state.slots and number in one.own
        if isinstance(events[number - 1], e.SlotSet)
    ]
    if sentences:
        yield element("h3", f"Conversation {one.id}")
        yield element("ul", (element("li", sentence) for sentence in sentences))


def _sentence(
    one: SubjectConversation, name: str, value: Any, number: int, face: Clockface
) -> list[Child]:
    line = one.every[number - 1]
    cause = line.event.cause
    said = _said(one, line.turn) if cause is None else one.every[cause - 1]
    because = "" if said is None or said.number not in one.own else f", after {_quoted(said)}"
    ran = "" if line.event.versions is None else f" It ran {_versions(line.event.versions)}."
    return [
        element("b", f"{name} = {json_text(value)}"),
        f" was recorded {face.at(line.recorded)} by {line.actor} (event {number}){because}.{ran}",
    ]


def _said(one: SubjectConversation, turn: int) -> TracedEvent | None:
    """The message that began a turn."""
    asked = (x for x in one.every if x.turn == turn and isinstance(x.event, e.UserUttered))
    return next(asked, None)


def _quoted(line: TracedEvent) -> str:
    text = getattr(line.event, "text", None)
    what = f"“{text}”" if text and not line.redacted else f"a {type(line.event).__name__}"
    return f"{line.actor} said {what} (event {line.number})"


def _versions(versions: e.Versions) -> str:
    said = {"code": versions.code, "model": versions.model, "prompt": versions.prompt}
    return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)

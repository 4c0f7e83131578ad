"""The places of entities and values in a text; a wrong place stops an export."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.annotations import Entity, Frame
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.traits import Utterance
from turnlog.errors import FormatError


def is_payload(text: str | None) -> bool:
    """Whether a message was sent by a button, not typed by a person."""
    return (text or "").startswith("/")


def check_entities(text: str | None, entities: Iterable[Entity], **place: Any) -> None:
    """Raises FormatError, with the place, for an entity that is not where it claims to be.

    A value may be another word than the text (a synonym), but not one from elsewhere in the text.
    In a button's payload (`/inform{"city": "Rome"}`) Rasa gives entities no places of their own.
    """
    if is_payload(text):
        return
    for entity in entities:
        if entity.start is None and entity.end is None:
            continue
        why = _wrong(text or "", entity.start, entity.end, entity.value)
        if why:
            raise FormatError(why, field=f"entity {entity.entity!r}", **place)


def check_frames(dialogue: Dialogue) -> None:
    """Raises FormatError for a frame's span outside its message, or around another value.

    Compares it with the values of the acts on that slot, or with the span's own value without acts.
    """
    texts: dict[int, tuple[str, int]] = {}
    for turn in dialogue.turns():
        for number, event in turn.numbered():
            if isinstance(event, Utterance):
                texts[number] = event.text or "", turn.number
            elif isinstance(event, e.MessageAnnotated) and event.message in texts:
                text, about = texts[event.message]
                for frame in event.frames:
                    _check_frame(frame, text, {"conversation": dialogue.name, "turn": about})


def _check_frame(frame: Frame, text: str, place: dict[str, Any]) -> None:
    for span in frame.spans or ():
        known = [
            value
            for act in frame.acts or ()
            if act.slot == span.slot
            for value in [*(act.values or ()), *(act.canonical_values or ())]
        ]
        why = _outside(text, span.start, span.end)
        if not why and span.act is None and known and text[span.start : span.end] not in known:
            shown = text[span.start : span.end]
            why = f"the span is around {shown!r:.60}, not {known[0]!r:.60}"
        if why:
            raise FormatError(why, field=f"span of {frame.service}.{span.slot}", **place)


def _wrong(text: str, start: int | None, end: int | None, value: Any) -> str | None:
    if why := _outside(text, start, end):
        return why
    shown = text[start:end]
    words = value.casefold() if isinstance(value, str) else ""
    if words.strip() and shown.casefold() != words and words in text.casefold():
        return f"the span is around {shown!r:.60}, not {value!r:.60}"
    return None


def _outside(text: str, start: int | None, end: int | None) -> str | None:
    if start is None or end is None or not 0 <= start < end <= len(text):
        return f"the span {start} to {end} is outside the text, which has {len(text)} characters"
    return None


def in_order(entities: Sequence[Entity]) -> tuple[list[Entity], int]:
    """Entities with a place, by place, and how many were omitted because they overlap."""
    placed = [entity for entity in entities if entity.start is not None and entity.end is not None]
    kept: list[Entity] = []
    upto = 0
    for entity in sorted(placed, key=lambda one: (one.start or 0, -(one.end or 0))):
        if (entity.start or 0) >= upto:
            kept.append(entity)
            upto = entity.end or 0
    return kept, len(placed) - len(kept)

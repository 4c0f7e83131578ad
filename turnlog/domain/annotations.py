"""What is known about a message: intent, entities, and a data set's annotations."""

from __future__ import annotations

from typing import Any

import msgspec


class Intent(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a message asks for. confidence: from 0 to 1. extra: other fields of its source."""

    name: str | None = None
    confidence: float | None = None
    extra: dict[str, Any] | None = None


class Entity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """start and end are character offsets into the message's text, end exclusive."""

    entity: str
    value: Any = None
    start: int | None = None
    end: int | None = None
    extra: dict[str, Any] | None = None


class Span(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a slot's value is in the text: character offsets, end exclusive.

    act and value: the source's annotation of the span.
    """

    slot: str
    start: int | None = None
    end: int | None = None
    extra: dict[str, Any] | None = None
    act: str | None = None
    value: Any = None


class Act(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A dialogue act of a data set, such as INFORM, on a slot and its values."""

    act: str
    slot: str | None = None
    values: list[Any] | None = None
    canonical_values: list[Any] | None = None
    extra: dict[str, Any] | None = None


class Frame(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A data set's annotation of a message for one service or domain.

    booked: what was booked with it. listed: the slots that the source lists without a value, part
    by part, with the word it uses for that. Both only if they changed; None removes one.
    """

    service: str
    acts: list[Act] | None = None
    spans: list[Span] | None = None
    active_intent: str | None = None
    requested_slots: list[str] | None = None
    service_call: dict[str, Any] | None = None
    service_results: list[Any] | None = None
    extra: dict[str, Any] | None = None
    booked: list[Any] | None = None
    listed: dict[str, dict[str, Any] | None] | None = None

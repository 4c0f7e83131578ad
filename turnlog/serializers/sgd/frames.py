"""Frames of Schema-Guided Dialogue, both ways: actions, spans and the state of a service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlog.domain.annotations import Act, Frame, Span
from turnlog.errors import FormatError
from turnlog.serializers.shared.document import member
from turnlog.serializers.shared.extra import give, take

_FRAME = {"service_call": ("service_call", dict), "service_results": ("service_results", list)}
_ACT = {
    "act": ("act", str),
    "slot": ("slot", str),
    "values": ("values", list),
    "canonical_values": ("canonical_values", list),
}
_SPAN = {"slot": ("slot", str), "start": ("start", int), "exclusive_end": ("end", int)}
_STATE = {"active_intent": ("active_intent", str), "requested_slots": ("requested_slots", list)}


def frame(source: Any, user: bool) -> Frame:
    """A frame in the format's form; user: whether a user's message has it."""
    service = member(source, "service", str)
    known = {"service", "actions", "slots"} | ({"state"} if user else set())
    fields = take({key: held for key, held in source.items() if key not in known}, _FRAME)
    if "actions" in source:
        fields["acts"] = indexed(member(source, "actions", list), "actions", _act)
    if "slots" in source:
        fields["spans"] = indexed(member(source, "slots", list), "slots", _span)
    if user and "state" in source:
        fields |= _state(member(source, "state", dict), fields.pop("extra", {}))
    return Frame(service=service, **fields)


def _state(state: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """The fields of a frame's state; what has no field, or has no intent, is in `extra`."""
    fields = take({key: held for key, held in state.items() if key != "slot_values"}, _STATE)
    stray = fields.pop("extra", {})
    if stray or "active_intent" not in fields:
        extra = {**extra, "state": stray}
    return {**fields, "extra": extra} if extra else fields


def _act(action: Any) -> Act:
    member(action, "act", str)
    return Act(**take(action, _ACT))


def _span(span: Any) -> Span:
    member(span, "slot", str)
    return Span(**take(span, _SPAN))


def indexed(values: list[Any], field: str, make: Any) -> list[Any]:
    """Each value as `make` makes it. Raises FormatError with the index of a faulty one."""
    items = []
    for index, value in enumerate(values):
        try:
            items.append(make(value))
        except FormatError as error:
            place = f"{field}[{index}]" + (f".{error.field}" if error.field else "")
            raise FormatError(error.why, field=place) from error
    return items


def frame_content(frame: Frame, slots: Mapping[str, Any] | None) -> dict[str, Any]:
    """The frame in the format's form; slots: the state after the message, None for a bot's."""
    content: dict[str, Any] = {"service": frame.service}
    if frame.acts is not None:
        content["actions"] = [give(act, _ACT) for act in frame.acts]
    if frame.spans is not None:
        content["slots"] = [give(span, _SPAN) for span in frame.spans]
    rest = give(frame, _FRAME)
    if slots is not None and (frame.active_intent is not None or "state" in rest):
        prefix = f"{frame.service}."
        values = {n.removeprefix(prefix): v for n, v in slots.items() if n.startswith(prefix)}
        stated = {"active_intent": frame.active_intent, "requested_slots": frame.requested_slots}
        state = {key: held for key, held in stated.items() if held is not None}
        rest["state"] = {**state, "slot_values": values, **rest.get("state", {})}
    return {**content, **rest}

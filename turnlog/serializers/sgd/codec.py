"""Schema-Guided Dialogue: an array of dialogues whose turns carry frames.

The state of a frame is a service's whole slots; events say what changed. Slots are named
`service.slot`, a value is the annotated list. (github.com/google-research-datasets/
dstc8-schema-guided-dialogue)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from turnlog.domain import events as e
from turnlog.domain.annotations import Act, Frame, Span
from turnlog.domain.conversation import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers import json_stream
from turnlog.serializers.codec import Example
from turnlog.serializers.document import DocumentCodec, member, write_array
from turnlog.serializers.fields import give, take
from turnlog.serializers.json_stream import Element, begins_with
from turnlog.serializers.states import changes

_TURN = {"utterance": ("text", str)}
_FRAME = {"service_call": ("service_call", dict), "service_results": ("service_results", list)}
_ACT = {
    "act": ("act", str),
    "slot": ("slot", str),
    "values": ("values", list),
    "canonical_values": ("canonical_values", list),
}
_SPAN = {"slot": ("slot", str), "start": ("start", int), "exclusive_end": ("end", int)}
_STATE = {"active_intent": ("active_intent", str), "requested_slots": ("requested_slots", list)}
_SPEAKERS: dict[str, type[e.UserUttered] | type[e.BotUttered]] = {
    "USER": e.UserUttered,
    "SYSTEM": e.BotUttered,
}
_WHOLE = {"services": ("services", list)}


class SgdCodec(DocumentCodec):
    """The files `dialogues_*.json`."""

    name = "sgd"
    suffix = ".json"
    reads = writes = True
    id_fields = ("dialogue_id",)

    def sniff(self, head: bytes, path: Path) -> bool:
        keys = begins_with(head, "[", "{")
        return "dialogue_id" in keys or ("turns" in keys and b'"speaker"' in head)

    def elements(self, file: BinaryIO) -> Iterator[Element | FormatError]:
        return json_stream.elements(file, self.limits.conversation_bytes, of="[")

    def dialogue(self, value: Any, element: Element, path: Path) -> Dialogue:
        name = member(value, "dialogue_id", str)
        return Dialogue(name, tuple(_Reader().events(value)))

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        from turnlog.serializers.sgd.writer import example

        if any(isinstance(event, e.UserUttered) for event in dialogue.events):
            yield example(dialogue)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        write_array(examples, out)


class _Reader:
    """Turns a dialogue into events, the slots known so far in hand."""

    def __init__(self) -> None:
        self.slots: dict[str, Any] = {}
        self.number = 0

    def events(self, value: Mapping[str, Any]) -> Iterator[e.Event]:
        whole = {key: held for key, held in value.items() if key not in ("dialogue_id", "turns")}
        if whole:
            self.number += 1
            yield e.ConversationAnnotated(**take(whole, _WHOLE))
        for index, turn in enumerate(member(value, "turns", list)):
            try:
                for event in self._turn(turn):
                    self.number += 1
                    yield event
            except FormatError as error:
                raise FormatError(error.why, field=f"turns[{index}].{error.field}") from error

    def _turn(self, turn: Any) -> Iterator[e.Event]:
        speaker = member(turn, "speaker", str)
        if speaker not in _SPEAKERS:
            raise FormatError(f"{speaker!r:.60} is neither USER nor SYSTEM", field="speaker")
        member(turn, "utterance", str)
        rest = {key: held for key, held in turn.items() if key not in ("speaker", "frames")}
        yield _SPEAKERS[speaker](**take(rest, _TURN))
        frames = member(turn, "frames", list)
        if not frames:
            return
        user = speaker == "USER"
        message = self.number
        yield e.MessageAnnotated(
            frames=tuple(_indexed(frames, "frames", lambda f: _frame(f, user))), message=message
        )
        if user:
            yield from self._slots(frames)

    def _slots(self, frames: list[Any]) -> Iterator[e.SlotSet]:
        after = dict(self.slots)
        seen: set[str] = set()
        for index, frame in enumerate(frames):
            if "state" not in frame:
                continue
            service = frame["service"]
            if service in seen or "." in service:
                why = "stands twice in a turn" if service in seen else "holds a full stop"
                raise FormatError(f"{service!r} {why}", field=f"frames[{index}].service")
            seen.add(service)
            values = member(frame["state"], "slot_values", dict)
            for name in [name for name in after if name.startswith(f"{service}.")]:
                del after[name]
            after |= {f"{service}.{slot}": _value(slot, held) for slot, held in values.items()}
        yield from changes(self.slots, after)
        self.slots = after


def _value(slot: str, held: Any) -> list[Any]:
    if not isinstance(held, list):
        raise FormatError(f"a list was expected, not {held!r:.60}", field=f"slot_values.{slot}")
    return held


def _frame(frame: Any, user: bool) -> Frame:
    service = member(frame, "service", str)
    known = {"service", "actions", "slots"} | ({"state"} if user else set())
    fields = take({key: held for key, held in frame.items() if key not in known}, _FRAME)
    if "actions" in frame:
        fields["acts"] = _indexed(member(frame, "actions", list), "actions", _act)
    if "slots" in frame:
        fields["spans"] = _indexed(member(frame, "slots", list), "slots", _span)
    if user and "state" in frame:
        fields |= _state(member(frame, "state", dict), fields.pop("extra", {}))
    return Frame(service=service, **fields)


def _state(state: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """The fields of a frame's state; what has no field, or no intent at all, is in `extra`."""
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


def _indexed(values: list[Any], field: str, make: Any) -> list[Any]:
    made = []
    for index, value in enumerate(values):
        try:
            made.append(make(value))
        except FormatError as error:
            place = f"{field}[{index}]" + (f".{error.field}" if error.field else "")
            raise FormatError(error.why, field=place) from error
    return made


def frame_content(frame: Frame, slots: Mapping[str, Any] | None) -> dict[str, Any]:
    """The frame as the format has it; slots: the state after the message, None for a bot's."""
    content: dict[str, Any] = {"service": frame.service}
    if frame.acts is not None:
        content["actions"] = [give(act, _ACT) for act in frame.acts]
    if frame.spans is not None:
        content["slots"] = [give(span, _SPAN) for span in frame.spans]
    given = give(frame, _FRAME)
    if slots is not None and (frame.active_intent is not None or "state" in given):
        prefix = f"{frame.service}."
        values = {n.removeprefix(prefix): v for n, v in slots.items() if n.startswith(prefix)}
        stated = {"active_intent": frame.active_intent, "requested_slots": frame.requested_slots}
        state = {key: held for key, held in stated.items() if held is not None}
        given["state"] = {**state, "slot_values": values, **given.get("state", {})}
    return {**content, **given}

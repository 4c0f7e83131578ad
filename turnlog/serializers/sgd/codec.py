"""Schema-Guided Dialogue: an array of dialogues whose turns carry frames.

The state of a frame contains all slots of a service; events record the changes. Slots are named
`service.slot`, and a value is the annotated list. (github.com/google-research-datasets/
dstc8-schema-guided-dialogue)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.sgd.frames import frame, indexed
from turnlog.serializers.sgd.writer import example
from turnlog.serializers.shared import json_stream
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import DocumentCodec, member, write_array
from turnlog.serializers.shared.extra import take
from turnlog.serializers.shared.json_head import begins_with
from turnlog.serializers.shared.json_stream import Element
from turnlog.serializers.shared.states import changes

_TURN = {"utterance": ("text", str)}
_SPEAKERS: dict[str, type[e.UserUttered] | type[e.BotUttered]] = {
    "USER": e.UserUttered,
    "SYSTEM": e.BotUttered,
}
_WHOLE = {"services": ("services", list)}


class SgdCodec(DocumentCodec):
    """The files `dialogues_*.json`."""

    name = "sgd"
    keeps_ids = True
    suffix = ".json"
    reads = writes = True
    writes_json = True
    id_fields = ("dialogue_id",)

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises an array of objects with a `dialogue_id`, or with turns that have a
        speaker.
        """
        keys = begins_with(head, "[", "{")
        return "dialogue_id" in keys or ("turns" in keys and b'"speaker"' in head)

    def elements(self, file: BinaryIO) -> Iterator[Element | FormatError]:
        """The elements of the array."""
        return json_stream.elements(file, self.limits.conversation_bytes, of="[")

    def dialogue(self, value: Any, element: Element, path: Path) -> Dialogue:
        """A dialogue with an event for each change of its state."""
        name = member(value, "dialogue_id", str)
        return Dialogue(name, tuple(_TurnReader().events(value)))

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: the dialogue; empty for one without messages of the user."""
        if any(isinstance(event, e.UserUttered) for event in dialogue.events):
            yield example(dialogue)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One JSON array."""
        write_array(examples, out)


class _TurnReader:
    """Turns a dialogue into events and tracks the slots known so far."""

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
            raise FormatError(
                f"unknown speaker {speaker!r:.60}; known: USER, SYSTEM", field="speaker"
            )
        member(turn, "utterance", str)
        rest = {key: held for key, held in turn.items() if key not in ("speaker", "frames")}
        yield _SPEAKERS[speaker](**take(rest, _TURN))
        frames = member(turn, "frames", list)
        if not frames:
            return
        user = speaker == "USER"
        message = self.number
        yield e.MessageAnnotated(
            frames=tuple(indexed(frames, "frames", lambda f: frame(f, user))), message=message
        )
        if user:
            yield from self._slots(frames)

    def _slots(self, frames: list[Any]) -> Iterator[e.SlotSet]:
        after = dict(self.slots)
        seen: set[str] = set()
        for index, annotated in enumerate(frames):
            if "state" not in annotated:
                continue
            service = annotated["service"]
            if service in seen or "." in service:
                why = "appears twice in a turn" if service in seen else "contains a full stop"
                raise FormatError(f"{service!r} {why}", field=f"frames[{index}].service")
            seen.add(service)
            values = member(annotated["state"], "slot_values", dict)
            for name in [name for name in after if name.startswith(f"{service}.")]:
                del after[name]
            after |= {f"{service}.{slot}": _value(slot, held) for slot, held in values.items()}
        yield from changes(self.slots, after)
        self.slots = after


def _value(slot: str, held: Any) -> list[Any]:
    if not isinstance(held, list):
        raise FormatError(f"expected a list, not {held!r:.60}", field=f"slot_values.{slot}")
    return held

"""Dialogues to Schema-Guided Dialogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.annotations import Act, Frame, Span
from turnlog.domain.dialogue import Dialogue, Turn
from turnlog.domain.fold import Fold
from turnlog.domain.traits import Utterance
from turnlog.domain.values import same
from turnlog.serializers.sgd.frames import frame_content
from turnlog.serializers.shared.annotations import annotations_by_message
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import refuse_raw_example
from turnlog.serializers.shared.losses import Held, lost
from turnlog.serializers.shared.schema import check_slots
from turnlog.serializers.shared.spans import check_frames

_SPEAKERS: dict[type[e.Event], str] = {
    e.UserUttered: "USER",
    e.BotUttered: "SYSTEM",
    e.AgentUttered: "SYSTEM",
}
_HELD: Held = {
    e.UserUttered: frozenset(("text", "extra")),
    e.BotUttered: frozenset(("text", "extra")),
    e.MessageAnnotated: frozenset(("frames", "message")),
    e.ConversationAnnotated: frozenset(("services", "extra")),
    e.SlotSet: frozenset(("name", "value")),
    Frame: frozenset(Frame.__struct_fields__) - {"booked", "listed"},
    Act: frozenset(Act.__struct_fields__),
    Span: frozenset(("slot", "start", "end", "extra")),
}

NO_SERVICE = "conversation"
"""The service of slots without one in their name."""


def example(dialogue: Dialogue) -> Example:
    """The dialogue in this format, with a count of what it cannot hold."""
    check_frames(dialogue)
    check_slots(dialogue)
    writer = _Writer(dialogue)
    turns = [content for turn in dialogue.turns() for content in writer.turn(turn)]
    content: dict[str, Any] = {"dialogue_id": dialogue.name}
    writer.lost.update(lost(dialogue.events, _HELD))
    for event in dialogue.events:
        if isinstance(event, e.ConversationAnnotated):
            content |= {"services": event.services} if event.services is not None else {}
            content |= event.extra or {}
    content.setdefault("services", sorted(writer.services))
    content["turns"] = turns
    result = Example.of(dialogue, content, +writer.lost)
    refuse_raw_example(result)
    return result


class _Writer:
    """Turns in order; `shown` is the state that the frames written so far contain."""

    def __init__(self, dialogue: Dialogue) -> None:
        self.folded = Fold(lambda: dialogue.events)
        self.shown: dict[str, Any] = {}
        self.services: set[str] = set()
        annotated, stray = annotations_by_message(dialogue.events, dialogue.first_event)
        self.frames = {
            number: [frame for event in events for frame in event.frames]
            for number, events in annotated.items()
        }
        self.lost = Counter({"annotation of no message": stray})

    def turn(self, turn: Turn) -> list[dict[str, Any]]:
        self.folded.take(turn.events)
        intent = _intent(turn)
        return [
            self._message(event, self.frames.get(number, []), intent)
            for number, event in turn.numbered()
            if isinstance(event, Utterance)
        ]

    def _message(self, event: Utterance, frames: list[Frame], intent: str) -> dict[str, Any]:
        user = isinstance(event, e.UserUttered)
        contents = (
            self._stated(frames, intent) if user else [frame_content(f, None) for f in frames]
        )
        self.services |= {content["service"] for content in contents}
        self.lost["message without a text"] += event.text is None
        content = {
            "speaker": _SPEAKERS[type(event)],
            "utterance": event.text or "",
            "frames": contents,
        }
        return {**content, **(event.extra or {})}

    def _stated(self, frames: list[Frame], intent: str) -> list[dict[str, Any]]:
        """The frames of a user's message, and an empty one for each other service that changed."""
        slots = self._slots()
        contents = [frame_content(frame, slots) for frame in frames]
        stated = {content["service"] for content in contents if "state" in content}
        for service in sorted(self._changed(slots) - stated):
            contents.append(frame_content(Frame(service, [], [], intent, []), slots))
        self.shown = slots
        return contents

    def _slots(self) -> dict[str, Any]:
        """The slots that the format can hold: named service.slot, with lists as values."""
        slots = {}
        for name, value in self.folded.state.slots.items():
            if "." not in name:
                self.lost["name of a slot without a service"] += 1
                name = f"{NO_SERVICE}.{name}"
            if not isinstance(value, list):
                self.lost["slot value that is not a list"] += 1
                value = [value]
            slots[name] = value
        return slots

    def _changed(self, slots: Mapping[str, Any]) -> set[str]:
        """Services whose slots differ from those in the frames so far."""
        shown = self.shown
        names = {n for n in slots if n not in shown or not same(slots[n], shown[n])}
        return {name.split(".")[0] for name in names | (shown.keys() - slots.keys())}


def _intent(turn: Turn) -> str:
    intents = [
        event.intent.name
        for event in turn.events
        if isinstance(event, e.MessageUnderstood) and event.intent and event.intent.name
    ]
    return intents[-1] if intents else "NONE"

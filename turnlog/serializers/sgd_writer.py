"""Dialogues to Schema-Guided Dialogue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from turnlog.domain import events as e
from turnlog.domain.annotations import Frame
from turnlog.domain.apply import fold
from turnlog.domain.conversation import Dialogue, Turn
from turnlog.domain.state import State
from turnlog.serializers.codec import Example
from turnlog.serializers.document import lost_fields, refuse_raw_example
from turnlog.serializers.schema import check_slots
from turnlog.serializers.sgd import frame_content
from turnlog.serializers.spans import check_frames
from turnlog.serializers.states import same

_SPEAKERS: dict[type[e.Event], str] = {
    e.UserUttered: "USER",
    e.BotUttered: "SYSTEM",
    e.AgentUttered: "SYSTEM",
}
_HELD: dict[type[e.Event], frozenset[str]] = {
    e.UserUttered: frozenset(("text", "extra")),
    e.BotUttered: frozenset(("text", "extra")),
    e.MessageAnnotated: frozenset(("frames", "message")),
    e.ConversationAnnotated: frozenset(("services", "extra")),
    e.SlotSet: frozenset(("name", "value")),
}

NO_SERVICE = "conversation"
"""The service of slots whose name has none."""


def example(dialogue: Dialogue) -> Example:
    """The dialogue in this format, with what it cannot hold counted."""
    check_frames(dialogue)
    check_slots(dialogue)
    writer = _Writer()
    turns = [content for turn in dialogue.turns() for content in writer.turn(turn)]
    content: dict[str, Any] = {"dialogue_id": dialogue.name}
    for event in dialogue.events:
        writer.lost.update(lost_fields(event, _HELD))
        if isinstance(event, e.ConversationAnnotated):
            content |= {"services": event.services} if event.services is not None else {}
            content |= event.extra or {}
    content.setdefault("services", sorted(writer.services))
    content["turns"] = turns
    last = dialogue.first_event + len(dialogue.events) - 1
    made = Example(dialogue.name, dialogue.first_event, last, content, dict(writer.lost))
    refuse_raw_example(made)
    return made


class _Writer:
    """Turns in order; `shown` is the state that the frames written so far tell."""

    def __init__(self) -> None:
        self.state = State()
        self.shown: dict[str, Any] = {}
        self.services: set[str] = set()
        self.lost: Counter[str] = Counter()

    def turn(self, turn: Turn) -> list[dict[str, Any]]:
        frames = _frames(turn)
        fold(self.state, turn.events)
        contents = []
        for number, event in enumerate(turn.events, turn.first_event):
            speaker = _SPEAKERS.get(type(event))
            if speaker == "USER":
                contents.append(self._user(event, frames.get(number, []), _intent(turn)))
            elif speaker is not None:
                contents.append(
                    _said(event, speaker, [frame_content(f, None) for f in frames.get(number, [])])
                )
        return contents

    def _user(self, event: Any, frames: list[Frame], intent: str) -> dict[str, Any]:
        slots = self._slots()
        contents = [frame_content(frame, slots) for frame in frames]
        stated = {content["service"] for content in contents if "state" in content}
        for service in self._changed(slots) - stated:
            bare = Frame(service, [], [], intent, [])
            contents.append(frame_content(bare, slots))
        self.shown = slots
        self.services |= {content["service"] for content in contents}
        return _said(event, "USER", contents)

    def _slots(self) -> dict[str, Any]:
        """The slots as the format can say them: named service.slot, a list each."""
        slots = {}
        for name, value in self.state.slots.items():
            if "." not in name:
                self.lost["name of a slot without a service"] += 1
                name = f"{NO_SERVICE}.{name}"
            if not isinstance(value, list):
                self.lost["slot value that is no list"] += 1
                value = [value]
            slots[name] = value
        return slots

    def _changed(self, slots: Mapping[str, Any]) -> set[str]:
        """Services whose slots are not as the frames so far tell."""
        shown = self.shown
        names = {n for n in slots if n not in shown or not same(slots[n], shown[n])}
        return {name.split(".")[0] for name in names | (shown.keys() - slots.keys())}


def _frames(turn: Turn) -> dict[int, list[Frame]]:
    """A turn's frames by the number of the message they are about."""
    frames: dict[int, list[Frame]] = {}
    latest = turn.first_event
    for number, event in enumerate(turn.events, turn.first_event):
        if type(event) in _SPEAKERS:
            latest = number
        elif isinstance(event, e.MessageAnnotated):
            frames.setdefault(event.message or latest, []).extend(event.frames)
    return frames


def _intent(turn: Turn) -> str:
    intents = [
        event.intent.name
        for event in turn.events
        if isinstance(event, e.MessageUnderstood) and event.intent and event.intent.name
    ]
    return intents[-1] if intents else "NONE"


def _said(event: Any, speaker: str, frames: list[dict[str, Any]]) -> dict[str, Any]:
    said = {"speaker": speaker, "utterance": event.text or "", "frames": frames}
    return {**said, **(event.extra or {})}

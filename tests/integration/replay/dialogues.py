"""Bot dialogues made from SGD: the understanding, calls, slots, actions and texts of each turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from turnlog import (
    ActionExecuted,
    BotUttered,
    Dialogue,
    Entity,
    Event,
    Intent,
    MessageAnnotated,
    MessageUnderstood,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserUttered,
)
from turnlog.domain.dialogue import Turn
from turnlog.serializers.formats import detect

SGD = "sgd/train/dialogues_subset.json"


class Answer(msgspec.Struct):
    """The bot's answer to one message."""

    understood: MessageUnderstood
    calls: list[ToolCalled]
    results: list[Any]
    rest: list[Event]

    def events(self, turn: int) -> list[Event]:
        """The events as recorded, the calls with their ids and results."""
        called: list[Event] = []
        for number, (call, result) in enumerate(zip(self.calls, self.results, strict=True)):
            id = f"{turn}.{number}"
            called += [
                msgspec.structs.replace(call, call_id=id), ToolReturned(result, id, call.name)
            ]  # fmt: skip
        return [*called, self.understood, *self.rest]


def answered(folder: Path, count: int) -> Iterator[tuple[str, list[tuple[UserUttered, Answer]]]]:
    """Names of dialogues with their messages and answers."""
    codec = detect(folder / SGD)
    assert codec is not None
    for dialogue, _ in zip(codec.read(folder / SGD), range(count), strict=False):
        assert isinstance(dialogue, Dialogue)
        turns = [turn for turn in dialogue.turns() if turn.message is not None]
        yield dialogue.name, [(_message(turn), _answer(turn)) for turn in turns]


def _message(turn: Turn) -> UserUttered:
    assert turn.message is not None
    return turn.message


def _answer(turn: Turn) -> Answer:
    of_user, of_system = (e for e in turn.events if isinstance(e, MessageAnnotated))
    text = _message(turn).text or ""
    frame = of_user.frames[0]
    spans = [span for frame in of_user.frames for span in frame.spans or []]
    entities = tuple(Entity(s.slot, text[s.start : s.end], s.start, s.end) for s in spans)
    calls = [(f.service_call, f.service_results) for f in of_system.frames if f.service_call]
    acts = dict.fromkeys(
        f"{a.act}_{a.slot}".lower() for f in of_system.frames for a in f.acts or []
    )
    slots = [event for event in turn.events if isinstance(event, SlotSet)]
    said = [event for event in turn.events if isinstance(event, BotUttered)]
    return Answer(
        MessageUnderstood(Intent(frame.active_intent, 0.9), entities),
        [ToolCalled(call["method"], call["parameters"]) for call, _ in calls],
        [results for _, results in calls],
        [*slots, *(ActionExecuted(act) for act in acts), *said],
    )

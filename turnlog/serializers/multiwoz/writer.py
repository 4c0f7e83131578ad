"""Dialogues to MultiWOZ 2.1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, BinaryIO

from turnlog.domain import events as e
from turnlog.domain.annotations import Act, Frame, Span
from turnlog.domain.dialogue import Dialogue, Turn
from turnlog.domain.fold import Fold
from turnlog.domain.traits import Utterance
from turnlog.serializers.multiwoz.acts import acts_and_spans
from turnlog.serializers.multiwoz.metadata import PARTS, Metadata, is_unset
from turnlog.serializers.shared.annotations import annotations_by_message
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.document import as_line, refuse_raw_example
from turnlog.serializers.shared.losses import Held, lost
from turnlog.serializers.shared.schema import check_slots
from turnlog.serializers.shared.spans import check_frames

_HELD: Held = {
    e.UserUttered: frozenset(("text", "extra")),
    e.BotUttered: frozenset(("text", "extra")),
    e.MessageAnnotated: frozenset(("frames", "message", "extra")),
    e.ConversationAnnotated: frozenset(("goal", "extra")),
    e.SlotSet: frozenset(("name", "value")),
    Frame: frozenset(("service", "acts", "spans", "booked", "listed")),
    Act: frozenset(("act", "slot", "values")),
    Span: frozenset(("slot", "start", "end", "act", "value", "extra")),
}


def example(dialogue: Dialogue) -> Example:
    """The dialogue in this format, with a count of what it cannot hold."""
    check_frames(dialogue)
    check_slots(dialogue)
    writer = _LogWriter(dialogue)
    for turn in dialogue.turns():
        writer.turn(turn)
    content: dict[str, Any] = {}
    writer.lost.update(lost(dialogue.events, _HELD))
    for event in dialogue.events:
        if isinstance(event, e.ConversationAnnotated):
            content |= {"goal": event.goal} if event.goal is not None else {}
            content |= event.extra or {}
    content["log"] = writer.finished()
    result = Example.of(dialogue, content, +writer.lost)
    refuse_raw_example(result)
    return result


def write(examples: Iterable[Example], out: BinaryIO) -> None:
    """One object, a dialogue a line under its conversation's id."""
    out.write(b"{")
    for number, example in enumerate(examples):
        key = as_line(example.conversation).rstrip(b"\n")
        out.write(
            (b",\n" if number else b"\n") + key + b": " + as_line(example.content).rstrip(b"\n")
        )
    out.write(b"\n}\n")


class _LogWriter:
    """Turns in order: the user's messages at even places of the log, the bot's at odd ones."""

    def __init__(self, dialogue: Dialogue) -> None:
        self.folded = Fold(lambda: dialogue.events)
        self.metadata = Metadata()
        self.shown: dict[str, Any] = {}
        self.log: list[dict[str, Any]] = []
        self.annotated, stray = annotations_by_message(dialogue.events, dialogue.first_event)
        self.lost = Counter({"annotation of no message": stray})

    def turn(self, turn: Turn) -> None:
        self.folded.take(turn.events)
        for event in turn.events:
            if isinstance(event, e.MessageAnnotated):
                for frame in event.frames:
                    self.metadata.learn(frame)
        for number, event in turn.numbered():
            if isinstance(event, Utterance):
                self._add(event, self.annotated.get(number, []))

    def finished(self) -> list[dict[str, Any]]:
        self.lost["slots after the last message of the bot"] += self.shown != self._slots()
        return self.log

    def _add(self, event: Utterance, annotations: list[e.MessageAnnotated]) -> None:
        """A message in the other side's place gets an empty message before it."""
        user = isinstance(event, e.UserUttered)
        if user != (len(self.log) % 2 == 0):
            self.lost["two messages of one side in a row"] += 1
            self.log.append({"text": "", "metadata": {} if not user else self._tree()})
        self.lost["message without a text"] += event.text is None
        text: str = event.text or ""
        content: dict[str, Any] = {"text": text, "metadata": {} if user else self._tree()}
        for annotation in annotations:
            content |= acts_and_spans(annotation, text, self.lost)
        self.log.append({**content, **(event.extra or {})})

    def _tree(self) -> dict[str, Any]:
        self.shown = self._slots()
        return self.metadata.tree(self.shown)

    def _slots(self) -> dict[str, Any]:
        """The slots that the format can hold: named domain.part.slot."""
        slots = {}
        for name, value in self.folded.state.slots.items():
            domain, *rest = name.split(".")
            if len(rest) < 2 or rest[0] not in PARTS:
                self.lost["name of a slot without domain and part"] += 1
                name = f"{domain}.semi.{'.'.join(rest)}" if rest else f"conversation.semi.{domain}"
            if is_unset(value) or name.split(".", 1)[1] == "book.booked":
                self.lost["slot value that says there is none"] += 1
            slots[name] = value
        return slots

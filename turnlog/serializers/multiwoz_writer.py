"""Dialogues to MultiWOZ 2.1."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, BinaryIO

from turnlog.domain import events as e
from turnlog.domain.apply import fold
from turnlog.domain.conversation import Dialogue, Turn
from turnlog.domain.state import State
from turnlog.serializers.codec import Example
from turnlog.serializers.document import as_line, lost_fields, refuse_raw_example
from turnlog.serializers.multiwoz_acts import acts_and_spans
from turnlog.serializers.multiwoz_metadata import Metadata
from turnlog.serializers.schema import check_slots
from turnlog.serializers.spans import check_frames

_HELD: dict[type[e.Event], frozenset[str]] = {
    e.UserUttered: frozenset(("text", "extra")),
    e.BotUttered: frozenset(("text", "extra")),
    e.MessageAnnotated: frozenset(("frames", "message", "extra")),
    e.ConversationAnnotated: frozenset(("goal", "extra")),
    e.SlotSet: frozenset(("name", "value")),
}
_BOT = (e.BotUttered, e.AgentUttered)


def example(dialogue: Dialogue) -> Example:
    """The dialogue in this format, with what it cannot hold counted."""
    check_frames(dialogue)
    check_slots(dialogue)
    writer = _Writer()
    log = [content for turn in dialogue.turns() for content in writer.turn(turn)]
    content: dict[str, Any] = {}
    for event in dialogue.events:
        writer.lost.update(lost_fields(event, _HELD))
        if isinstance(event, e.ConversationAnnotated):
            content |= {"goal": event.goal} if event.goal is not None else {}
            content |= event.extra or {}
    content["log"] = log
    last = dialogue.first_event + len(dialogue.events) - 1
    made = Example(dialogue.name, dialogue.first_event, last, content, dict(writer.lost))
    refuse_raw_example(made)
    return made


def write(examples: Iterable[Example], out: BinaryIO) -> None:
    """One object, a dialogue a line under its conversation's id."""
    out.write(b"{")
    for number, made in enumerate(examples):
        key = as_line(made.conversation).rstrip(b"\n")
        out.write((b",\n" if number else b"\n") + key + b": " + as_line(made.content).rstrip(b"\n"))
    out.write(b"\n}\n")


class _Writer:
    """Turns in order: the user's messages at even places of the log, the bot's at odd ones."""

    def __init__(self) -> None:
        self.state = State()
        self.metadata = Metadata()
        self.lost: Counter[str] = Counter()

    def turn(self, turn: Turn) -> list[dict[str, Any]]:
        fold(self.state, turn.events)
        said: dict[int, tuple[e.Event, dict[str, Any]]] = {}
        latest = turn.first_event
        for number, event in enumerate(turn.events, turn.first_event):
            if isinstance(event, (e.UserUttered, *_BOT)):
                latest = number
                said[number] = event, {"text": event.text or "", "metadata": {}}
            elif isinstance(event, e.MessageAnnotated):
                for frame in event.frames:
                    self.metadata.learn(frame)
                about = said.get(event.message or latest)
                if about is not None:
                    about[1].update(acts_and_spans(event, about[1]["text"]))
        return self._log(list(said.values()))

    def _log(self, said: list[tuple[e.Event, dict[str, Any]]]) -> list[dict[str, Any]]:
        """User, bot, user, bot: what stands at the wrong place gets an empty message before it."""
        log: list[dict[str, Any]] = []
        for event, content in said:
            user = isinstance(event, e.UserUttered)
            if user != (len(log) % 2 == 0):
                self.lost["two messages of one side in a row"] += 1
                log.append({"text": "", "metadata": {} if len(log) % 2 == 0 else self._tree()})
            if not user:
                content["metadata"] = self._tree()
            log.append({**content, **(event.extra or {})})
        return log

    def _tree(self) -> dict[str, Any]:
        slots = {}
        for name, value in self.state.slots.items():
            domain, *rest = name.split(".")
            if len(rest) < 2 or rest[0] not in ("semi", "book"):
                self.lost["name of a slot without domain and part"] += 1
                name = f"{domain}.semi.{'.'.join(rest)}" if rest else f"conversation.semi.{domain}"
            slots[name] = value
        return self.metadata.tree(slots)

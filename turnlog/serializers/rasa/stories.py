"""Rasa's stories, to train a dialogue policy on, and its end-to-end tests.

A session is a story. A message without an interpretation appears as its text. A bot that names no
actions, as in annotated data sets, gets the name of an action from its acts (`utter_request`), or
its text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, ClassVar

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.fold import Fold
from turnlog.domain.state import LISTEN
from turnlog.domain.traits import Clearing
from turnlog.serializers.rasa.text import annotated
from turnlog.serializers.rasa.understood import Understood, understood
from turnlog.serializers.rasa.yaml import Block, write_yaml
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.document import refuse_raw_example
from turnlog.serializers.shared.losses import Held, lost
from turnlog.serializers.shared.schema import check_slots

_SILENT = (LISTEN, "action_session_start", "action_unlikely_intent", None)
"""Actions that Rasa's own stories omit."""

_HELD: Held = {
    e.UserUttered: frozenset(("text",)),
    e.MessageUnderstood: frozenset(("intent", "entities", "message")),
    e.EntitiesAdded: frozenset(("entities",)),
    e.MessageAnnotated: frozenset(("frames", "message")),
    e.BotUttered: frozenset(("text",)),
    e.AgentUttered: frozenset(("text",)),
    e.ActionExecuted: frozenset(("name", "action_text")),
    e.SlotSet: frozenset(("name", "value")),
    e.LoopActivated: frozenset(("name",)),
    e.SessionStarted: frozenset(),
    e.ConversationRestarted: frozenset(),
}


class RasaStoriesCodec(Codec):
    """`stories:` with intents, entities, slots, forms and actions."""

    name = "rasa-stories"
    suffix = ".yml"
    writes = True
    libraries = ("PyYAML",)
    extra = "rasa"
    texts: ClassVar[bool] = False

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example a session; none for a dialogue without intents and actions."""
        messages = understood(dialogue)
        stories = _Stories(dialogue, messages, texts=self.texts)
        if not stories.acting and not any(message.intent for message in messages.values()):
            return
        check_slots(dialogue)
        for story in stories.all():
            refuse_raw_example(story)
            yield story

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """All stories in one file."""
        write_yaml("stories", (_laid_out(example.content) for example in examples), out)


def _laid_out(story: dict[str, Any]) -> dict[str, Any]:
    """Writes the users' texts as blocks."""
    steps = [
        {**step, "user": Block(step["user"])} if "user" in step else step for step in story["steps"]
    ]
    return {**story, "steps": steps}


class RasaE2eCodec(RasaStoriesCodec):
    """The same with each message's text and its entities marked: an end-to-end test."""

    name = "rasa-e2e"
    texts = True


class _Stories:
    """Collects a dialogue's steps; a story ends where the next session begins."""

    def __init__(self, dialogue: Dialogue, messages: dict[int, Understood], *, texts: bool) -> None:
        self.dialogue = dialogue
        self.messages = messages
        self.texts = texts
        self.acting = any(isinstance(event, e.ActionExecuted) for event in dialogue.events)
        self.frames = _frames(dialogue)
        self.count = 0
        self._begin(dialogue.first_event, {})

    def all(self) -> Iterator[Example]:
        last = self.first
        folded = Fold(lambda: self.dialogue.events)
        for last, event in self.dialogue.numbered():
            slots = folded.take((event,)).slots
            if isinstance(event, Clearing):
                yield from self._story(last - 1)
                self._begin(last, slots)
            self.lost.update(lost((event,), _HELD))
            if (step := _STEPS.get(type(event))) is not None:
                step(self, last, event)
        yield from self._story(last)

    def _begin(self, first: int, slots: dict[str, Any]) -> None:
        self.first = first
        self.steps: list[dict[str, Any]] = []
        self.lost: Counter[str] = Counter()
        if slots:
            self.steps.append({"slot_was_set": [{name: value} for name, value in slots.items()]})

    def _story(self, last: int) -> Iterator[Example]:
        """The steps so far; no story without a message of the user."""
        if not any("intent" in step or "user" in step for step in self.steps):
            return
        self.count += 1
        name = self.dialogue.name + (f" (session {self.count})" if self.count > 1 else "")
        content = {"story": name, "steps": self.steps}
        yield Example(self.dialogue.name, self.first, last, content, dict(self.lost))

    def user(self, number: int, event: e.UserUttered) -> None:
        message = self.messages[number]
        step: dict[str, Any] = {}
        if self.texts or message.intent is None:
            text = annotated(message.text or "", message.entities, self.lost)
            if text:
                step["user"] = text
        if message.intent is not None:
            step["intent"] = message.intent
        if "user" not in step and message.entities:
            step["entities"] = [_entity(entity) for entity in message.entities]
        if step:
            self.steps.append(step)
        else:
            self.lost["message without an intent"] += 1

    def action(self, number: int, event: e.ActionExecuted) -> None:
        if event.name not in _SILENT:
            self.steps.append({"action": event.name})
        elif event.name is None and event.action_text:
            self.steps.append({"bot": event.action_text})

    def bot(self, number: int, event: e.BotUttered | e.AgentUttered) -> None:
        if self.acting:
            self.lost[f"{type(event).__name__}.text"] += 1
        elif acts := self.frames.get(number):
            self.steps.append({"action": f"utter_{'_'.join(sorted(acts))}"})
            self.lost[f"{type(event).__name__}.text"] += 1
        elif event.text:
            self.steps.append({"bot": event.text})

    def slot(self, number: int, event: e.SlotSet) -> None:
        """Slots that were set one after the other form one step."""
        if not (self.steps and "slot_was_set" in self.steps[-1]):
            self.steps.append({"slot_was_set": []})
        self.steps[-1]["slot_was_set"].append({event.name: event.value})

    def loop(self, number: int, event: e.LoopActivated) -> None:
        self.steps.append({"active_loop": event.name})


def _entity(entity: e.Entity) -> dict[str, Any]:
    extra = entity.extra or {}
    parts = {name: extra[name] for name in ("role", "group") if isinstance(extra.get(name), str)}
    return {entity.entity: entity.value, **parts}


def _frames(dialogue: Dialogue) -> dict[int, set[str]]:
    """The acts of each annotated message by its number."""
    acts: dict[int, set[str]] = {}
    for event in dialogue.events:
        if isinstance(event, e.MessageAnnotated) and event.message is not None:
            named = {act.act.lower() for frame in event.frames for act in frame.acts or ()}
            acts.setdefault(event.message, set()).update(named)
    return acts


_STEPS: dict[type[e.Event], Callable[[_Stories, int, Any], None]] = {
    e.UserUttered: _Stories.user,
    e.ActionExecuted: _Stories.action,
    e.BotUttered: _Stories.bot,
    e.AgentUttered: _Stories.bot,
    e.SlotSet: _Stories.slot,
    e.LoopActivated: _Stories.loop,
}

"""Rasa's NLU data: the users' texts by intent, with their entities marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.rasa.text import annotated
from turnlog.serializers.rasa.understood import Understood, understood
from turnlog.serializers.rasa.yaml import Block, write_yaml
from turnlog.serializers.shared import losses
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.document import refuse_raw_example
from turnlog.serializers.shared.spans import is_payload

_HELD: losses.Held = {
    e.UserUttered: frozenset(("text",)),
    e.MessageUnderstood: frozenset(("intent", "entities", "message")),
    e.EntitiesAdded: frozenset(("entities",)),
    e.MessageAnnotated: frozenset(("frames", "message")),
}


class RasaNluCodec(Codec):
    """An example is one message; a file has each intent once, with all of its texts. A dialogue's
    losses are counted with its first example.

    Intents appear in the order of their first message, texts in the log's order.
    """

    name = "rasa-nlu"
    suffix = ".yml"
    writes = True
    libraries = ("PyYAML",)
    extra = "rasa"

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example for each message with an intent and a text that the user wrote."""
        lost = losses.lost(dialogue.events, _HELD)
        messages = understood(dialogue).values()
        contents = [(message.event, _content(message, lost)) for message in messages]
        for number, content in contents:
            if content is not None:
                example = Example(dialogue.name, number, number, content, dict(lost))
                refuse_raw_example(example)
                yield example
                lost.clear()

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One entry an intent."""
        intents: dict[str, list[str]] = {}
        for example in examples:
            intents.setdefault(example.content["intent"], []).append(example.content["text"])
        write_yaml("nlu", _entries(intents), out)


def _content(message: Understood, lost: Counter[str]) -> dict[str, Any] | None:
    """The intent and the text; None for a button's payload and for a text that Rasa cannot read."""
    if message.intent is None:
        lost["message without an intent"] += 1
        return None
    if not message.text or is_payload(message.text):
        lost["message without a text of the user's own"] += 1
        return None
    text = annotated(message.text, message.entities, lost)
    return None if text is None else {"intent": message.intent, "text": text}


def _entries(intents: dict[str, list[str]]) -> Iterator[dict[str, Any]]:
    """Texts of one line are lines of a block; texts of several lines form a separate list."""
    for intent, texts in intents.items():
        lines = [text for text in texts if len(text.splitlines()) == 1]
        if lines:
            block = Block("".join(f"- {line}\n" for line in lines))
            yield {"intent": intent, "examples": block}
        if others := [{"text": Block(text)} for text in texts if len(text.splitlines()) > 1]:
            yield {"intent": intent, "examples": others}

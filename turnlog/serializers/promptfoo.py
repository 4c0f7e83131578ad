"""Tests for promptfoo: a model that receives the recorded messages must answer as recorded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.message_openai import FUNCTION_CALL
from turnlog.domain.plain import dumps
from turnlog.serializers.openai.answers import Answered, Messages, answers
from turnlog.serializers.openai.chat import Chat
from turnlog.serializers.openai.writer import chat
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.document import refuse_raw_example, write_lines
from turnlog.serializers.shared.json_value import parse

_TEXT = "typeof output === 'string' ? output : output?.content ?? ''"
_CALLS = (
    "[output?.tool_calls ?? output?.function_call ?? output].flat().map(c => c?.function ?? c)"
    ".map(f => ({name: f?.name, arguments: JSON.parse(f?.arguments ?? null)}))"
)
"""What an answer of promptfoo's OpenAI providers says, and what it calls."""

_TEMPLATE = re.compile(r"\{[{%#]|#\}|\A(?:file|package):")
"""What promptfoo would fill in or load in a text that is not one of its templates."""
_TEMPLATE_IN_JSON = re.compile(r"\{(?=[{%#])|#(?=\})")
_BETWEEN = "\n\n"
"""Separates messages that form one answer."""


class PromptfooCodec(Codec):
    """A test for each answer with a weight other than 0: `{"vars": {"messages": "[…]"}, "assert":
    […]}`.

    `messages` is the JSON of the chat before the answer, for the prompt `{{messages}}`. Texts of
    the conversation are escaped: promptfoo passes them to the model as recorded and does not read
    them as templates.
    """

    name = "promptfoo"
    suffix = ".jsonl"
    writes = True
    writes_json = True

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example for each answer that can be compared."""
        said = chat(dialogue)
        options = _options(said)
        found = [(one, _assertions(one, said.lost)) for one in answers(dialogue, said)]
        lost = said.lost
        for one, assertions in found:
            if assertions:
                content = {**_asked(dialogue, said, one), **options, "assert": assertions}
                bounds = dialogue.first_event, one.last_event
                example = Example(dialogue.name, *bounds, content, dict(+lost))
                refuse_raw_example(example)
                yield example
                lost = Counter()

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One test a line."""
        write_lines(examples, out)


def _asked(dialogue: Dialogue, said: Chat, one: Answered) -> dict[str, Any]:
    turn, event = (of_each[len(one.prompt)] for of_each in (said.turns, said.events))
    return {
        "description": f"{dialogue.name}, turn {turn}",
        "metadata": {"conversation": dialogue.name, "turn": turn, "event": event},
        "vars": {"messages": _json(one.prompt)},
    }


def _options(said: Chat) -> dict[str, Any]:
    """The tools, for the provider. promptfoo fills in templates there repeatedly, and no escape
    survives that: tools with template characters are omitted and counted.
    """
    if not said.beside:
        return {}
    if _TEMPLATE_IN_JSON.search(dumps(said.beside).decode()):
        said.lost["tools that promptfoo would take for templates"] += 1
        return {}
    return {"options": said.beside}


def _json(messages: Messages) -> str:
    """The messages in the API's form, without the members that only trainers read."""
    asked = [{key: held for key, held in m.items() if key != "weight"} for m in messages]
    text = dumps(asked).decode()
    return _TEMPLATE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _as_template(text: str) -> str:
    """The template from which promptfoo makes that text."""
    if not _TEMPLATE.search(text):
        return text
    quoted = re.sub(r'[\\"]', r"\\\g<0>", text)
    return f'{{{{ "{quoted}" }}}}'


# --- what is asserted ---------------------------------------------------------------------------


def _assertions(one: Answered, lost: Counter[str]) -> list[dict[str, Any]]:
    """Empty for an answer of weight 0, and for one of which nothing can be compared."""
    if not one.is_learnt:
        lost["answer of weight 0"] += 1
        return []
    words = [words for message in one.answer if (words := _words(message))]
    calls = [call for message in one.answer for call in _calls(message)]
    lost["message joined to the one before"] += max(len(words) - 1, 0)
    lost["answer without words"] += not words and not calls
    return [*_of_text(words, is_all=not calls), *_of_calls(calls)]


def _of_text(words: list[str], *, is_all: bool) -> Iterator[dict[str, Any]]:
    if words:
        transform = {} if is_all else {"transform": _TEXT}
        yield {"type": "equals", **transform, "value": _as_template(_BETWEEN.join(words))}


def _of_calls(calls: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    if calls:
        yield {"type": "equals", "transform": _CALLS, "value": calls}


def _words(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        texts = (part.get("text") or part.get("refusal") for part in content)
        content = "".join(text for text in texts if text)
    return content or message.get("refusal") or ""


def _calls(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Names and arguments; ids differ from answer to answer."""
    called = [call["function"] for call in message.get("tool_calls") or ()]
    if FUNCTION_CALL in message:
        called.append(message[FUNCTION_CALL])
    for function in called:
        yield {"name": function["name"], "arguments": parse(function["arguments"].encode())}

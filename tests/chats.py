"""Made-up chats as OpenAI's API has them: tools, parallel calls, reasoning, refusals, parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

Chat = dict[str, Any]

WORDS = (
    "rain",
    "Zürich",
    "東京",
    "{{ x }}",
    "it's",
    '"quoted"',
    "<b>",
    "a\\nb",
    "line\nline",
    "🙂",
)
VALUES: tuple[Any, ...] = (0, -1, 2.5, True, None, "", [], {}, [1, "b"], {"x": None, "y": [{}]})
NAMES = ("weather", "book_table", "look_up")


def chats(random: Random, count: int) -> Iterator[Chat]:
    for number in range(count):
        yield _Made(random).chat(f"chat-{number}")


class _Made:
    """One chat, generated at random."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._calls = 0
        self._first_form = random.random() < 0.1

    def chat(self, id: str) -> Chat:
        turns = self._random.randint(1, 4)
        said = [message for _ in range(turns) for message in self._turn()]
        made: Chat = {"id": id, "messages": [*self._instructions(), *said]}
        if self._chance(0.7):
            made["tools"] = [_tool(name, self._random) for name in NAMES]
        return made

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _text(self) -> str:
        return " ".join(self._random.choices(WORDS, k=self._random.randint(1, 6)))

    def _instructions(self) -> list[Chat]:
        return [{"role": "system", "content": self._text()}] if self._chance(0.5) else []

    def _turn(self) -> Iterator[Chat]:
        yield {"role": "user", "content": self._content("text")}
        while self._chance(0.4):
            yield from self._called_in_the_first_form() if self._first_form else self._called()
        yield self._answer()

    def _content(self, kind: str) -> Any:
        """A text, or now and then the same as parts."""
        if self._chance(0.85):
            return self._text()
        return [{"type": kind, kind: self._text()} for _ in range(self._random.randint(1, 3))]

    def _answer(self) -> Chat:
        if self._chance(0.1):
            return {"role": "assistant", "content": None, "refusal": self._text()}
        said: Chat = {"role": "assistant", "content": self._content("text")}
        return {**said, **self._thought()}

    def _thought(self) -> Chat:
        name = self._random.choice(("reasoning_content", "reasoning_content", "reasoning"))
        return {name: self._text()} if self._chance(0.3) else {}

    def _called(self) -> Iterator[Chat]:
        calls = [self._call() for _ in range(self._random.choice((1, 1, 2, 3)))]
        content = self._random.choice((None, None, "", self._text()))
        yield {"role": "assistant", "content": content, **self._thought(), "tool_calls": calls}
        for call in self._random.sample(calls, len(calls)):
            named = {"name": call["function"]["name"]} if self._chance(0.5) else {}
            result = json.dumps(self._value()) if self._chance(0.5) else self._text()
            yield {"role": "tool", "tool_call_id": call["id"], **named, "content": result}

    def _called_in_the_first_form(self) -> Iterator[Chat]:
        called = self._call()["function"]
        yield {"role": "assistant", "content": None, "function_call": called}
        yield {"role": "function", "name": called["name"], "content": self._text()}

    def _call(self) -> Chat:
        self._calls += 1
        written = json.dumps(self._arguments(), ensure_ascii=self._chance(0.5))
        if written == "{}" and self._chance(0.5):
            written = ""
        function = {"name": self._random.choice(NAMES), "arguments": written}
        return {"id": f"call{self._calls:05}", "type": "function", "function": function}

    def _arguments(self) -> dict[str, Any]:
        names = self._random.sample(("city", "day", "people", "näme"), self._random.randint(0, 3))
        return {name: self._value() for name in names}

    def _value(self) -> Any:
        return self._text() if self._chance(0.6) else self._random.choice(VALUES)


def _tool(name: str, random: Random) -> Chat:
    kind = random.choice(("string", ["string", "null"]))
    properties = {"city": {"type": kind, "description": 'Of Zürich\'s "kind"'}}
    schema = {"type": "object", "properties": properties, "required": ["city"]}
    function = {"name": name, "description": f"does {name}", "parameters": schema}
    return {"type": "function", "function": function}


def as_templates_take_them(messages: list[Chat]) -> list[Chat]:
    """The same messages as chat templates expect them, made independently of the export.

    Arguments are objects, parts of text become a text, a refusal becomes what is said, and calls of
    the API's first form become calls.
    """
    return [_for_templates(at, message, messages) for at, message in enumerate(messages)]


def _for_templates(at: int, message: Chat, messages: list[Chat]) -> Chat:
    made = {**message, "content": _joined(message.get("content"))}
    if message.get("refusal") is not None:
        made["content"] = (made["content"] or "") + made.pop("refusal")
    if (called := made.pop("function_call", None)) is not None:
        made["tool_calls"] = [{"id": f"of {at}", "type": "function", "function": called}]
    if message["role"] == "function":
        made |= {"role": "tool", "tool_call_id": f"of {at - 1}"}
    if calls := made.get("tool_calls"):
        made["tool_calls"] = [_with_object(call) for call in calls]
    return made


def _joined(content: Any) -> str | None:
    if isinstance(content, list):
        return "".join(part["text"] for part in content)
    assert content is None or isinstance(content, str)
    return content


def _with_object(call: Chat) -> Chat:
    function = call.get("function") or {name: call[name] for name in ("name", "arguments")}
    given = function["arguments"]
    parsed = json.loads(given or "{}") if isinstance(given, str) else given
    function = {"name": function["name"], "arguments": parsed}
    return {"id": call["id"], "type": "function", "function": function}

"""Chat dicts as messages: every member has its place, and what is wrong is named."""

from __future__ import annotations

from typing import Any

import pytest

from turnlog.domain.message_chat import read_chat
from turnlog.domain.message_parts import Reasoning, Refusal, Text, ToolCall, ToolResult
from turnlog.errors import InvalidMessage
from turnlog.serializers.openai.messages import Messages, arguments


def call(given: Any, **beside: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": "f", "arguments": given}, **beside}


def test_an_answer_has_what_was_thought_said_refused_and_called():
    said = {
        "role": "assistant", "content": "Hm.", "reasoning_content": "think", "refusal": "no",
        "tool_calls": [call('{"a": 1}'), call("{broken")], "weight": 0,
    }  # fmt: skip
    message = read_chat(said, arguments)
    assert message.parts == (
        Reasoning("think"), Text("Hm."), Refusal("no"), ToolCall("c1", "f", {"a": 1}),
        ToolCall("c1", "f", "{broken", "{broken"),
    )  # fmt: skip
    assert message.metadata == {"weight": 0}


def test_a_result_keeps_its_content_as_it_is():
    said = {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "x"}]}
    message = read_chat(said, arguments)
    assert message.parts == (ToolResult("c1", None, [{"type": "text", "text": "x"}]),)
    assert read_chat({**said, "role": "function"}, arguments).metadata == {"role": "function"}


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"content": "x"}, "role"),
        ({"role": "nobody"}, "role"),
        ({"role": "user", "content": 5}, "content"),
        ({"role": "assistant", "refusal": 5}, "refusal"),
        ({"role": "assistant", "tool_calls": "x"}, "tool_calls"),
        ({"role": "assistant", "tool_calls": ["x"]}, "tool_calls[0]"),
        ({"role": "assistant", "tool_calls": [{"function": 5}]}, "tool_calls[0].function"),
        ({"role": "assistant", "tool_calls": [{"function": {}}]}, "tool_calls[0].name"),
        ({"role": "assistant", "tool_calls": [call("{}", id=5)]}, "tool_calls[0].id"),
        ({"role": "tool", "tool_call_id": 5}, "tool_call_id"),
    ],
)
def test_what_is_wrong_is_named(message: dict[str, Any], field: str):
    with pytest.raises(InvalidMessage) as raised:
        read_chat(message, arguments)
    assert raised.value.field == field


def test_what_a_call_says_beside_and_the_calls_of_the_users_side_are_kept():
    chat = [
        {"role": "user", "content": None, "tool_calls": [call({}, index=3)]},
        {"role": "tool", "id": "c1", "requestor": "user", "content": "done"},
        {"role": "assistant", "content": "Hi", "tool_calls": [call("{}", index=4, type="custom")]},
    ]
    events = list(Messages().events(chat, "messages"))
    assert [(type(event).__name__, event.actor, event.cause, event.extra) for event in events] == [
        ("ToolCalled", "user", None, {"index": 3}),
        ("ToolReturned", "user", None, None),
        ("BotUttered", None, None, None),
        ("ToolCalled", None, 3, {"index": 4, "type": "custom"}),
    ]

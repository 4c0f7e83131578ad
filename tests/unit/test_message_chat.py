"""Chat dicts as messages: every member has its place, and faults are named."""

from __future__ import annotations

from typing import Any

import pytest

from turnlog import Dialogue
from turnlog.domain import events as e
from turnlog.domain.message_chat import read_chat
from turnlog.domain.message_context import UNANSWERED, for_model
from turnlog.domain.message_parts import Reasoning, Refusal, Text, ToolCall, ToolResult
from turnlog.domain.message_recording import recorded_as
from turnlog.domain.messages import messages
from turnlog.errors import FormatError, InvalidMessage
from turnlog.serializers.openai.messages import Messages, arguments
from turnlog.serializers.openai.writer import chat


def call(given: Any, **beside: Any) -> dict[str, Any]:
    return {"id": "c1", "type": "function", "function": {"name": "f", "arguments": given}, **beside}


def test_an_answer_has_reasoning_text_refusal_and_calls():
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


def test_a_result_keeps_its_content_unchanged():
    said = {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "x"}]}
    message = read_chat(said, arguments)
    assert message.parts == (ToolResult("c1", None, [{"type": "text", "text": "x"}]),)
    assert read_chat({**said, "role": "function"}, arguments).metadata == {"role": "function"}


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ({"content": "x"}, "role"),
        ({"role": "unknown"}, "role"),
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
def test_a_fault_is_named(message: dict[str, Any], field: str):
    with pytest.raises(InvalidMessage) as raised:
        read_chat(message, arguments)
    assert raised.value.field == field


def test_further_members_of_a_call_and_the_users_calls_are_kept():
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


FIRST_FORM: list[dict[str, Any]] = [
    {"role": "user", "content": "rain?"},
    {
        "role": "assistant", "content": "I look.",
        "function_call": {"name": "rain", "arguments": '{ "in": "Oslo" }', "x": 1},
    },
    {"role": "function", "name": "rain", "content": "wet"},
    {
        "role": "assistant", "content": None, "tool_calls": [call('{"a":1}')],
        "function_call": {"name": "rain", "arguments": "{broken"},
    },
    {"role": "tool", "tool_call_id": "c1", "content": "1"},
    {"role": "function", "name": "rain", "content": "none"},
    {"role": "assistant", "content": "It rains.", "function_call": {"name": 5}},
]  # fmt: skip


def test_calls_in_the_first_form_are_typed_and_round_trip_unchanged():
    events = list(Messages().events(FIRST_FORM, "messages"))
    called = [each for each in events if isinstance(each, e.ToolCalled)]
    assert [(each.name, each.arguments, each.call_id) for each in called] == [
        ("rain", {"in": "Oslo"}, None), ("f", {"a": 1}, "c1"), ("rain", "{broken", None),
    ]  # fmt: skip
    said = list(messages(enumerate(events, 1)))
    assert [message.as_openai() for message in said[:-1]] == FIRST_FORM[:-1]
    again = messages(enumerate(recorded_as(said), 1))
    assert [message.as_openai() for message in again] == [message.as_openai() for message in said]
    with pytest.raises(FormatError, match=r"turn 1: messages\[6\].function_call.name"):
        chat(Dialogue("a", tuple(events)))
    whole, sound = FIRST_FORM[:3], list(Messages().events(FIRST_FORM[:3], "messages"))
    written = chat(Dialogue("a", tuple(sound)))
    assert (written.messages, written.lost) == (whole, {})


def test_an_open_call_in_the_first_form_is_closed_in_it():
    said = list(messages(enumerate(Messages().events(FIRST_FORM[:2], "messages"), 1)))
    closed = [message.as_openai() for message in for_model(said)]
    assert closed == [
        *FIRST_FORM[:2], {"role": "function", "name": "rain", "content": UNANSWERED},
    ]  # fmt: skip


SOUND = {"id": "audio_1", "expires_at": 9, "data": "UklGRg==", "transcript": "It rains."}


@pytest.mark.parametrize("text", [None, "It rains."])
@pytest.mark.parametrize("audio", [SOUND, {"id": "audio_1"}, {**SOUND, "data": "UklGRh=="}, {}])
def test_a_spoken_answer_has_its_sound_as_media_and_round_trips_unchanged(
    text: str | None, audio: dict[str, Any]
):
    said = {"role": "assistant", "content": text, "audio": audio}
    chats: list[Any] = [{"role": "user", "content": "rain?"}, said]
    events = list(Messages().events(chats, "messages"))
    sounds = [each.content for each in events if isinstance(each, e.MediaAdded)]
    assert sounds == ([b"RIFF"] if audio == SOUND else [])
    found = list(messages(enumerate(events, 1)))
    if audio == SOUND:
        assert found[-1].as_openai() == said
        again = list(messages(enumerate(recorded_as(found), 1)))
        assert again[-1].as_openai() == said
    if audio:
        written = chat(Dialogue("a", tuple(events)))
        assert (written.messages, written.lost) == (chats, {})

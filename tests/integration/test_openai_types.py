"""Everything that `openai` writes is valid by OpenAI's own types, which check parts lazily."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter, ValidationError

from tests.property import message_shapes
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.message import Message
from turnlog.domain.message_context import for_model
from turnlog.domain.message_parts import Text
from turnlog.domain.message_recording import recorded_as
from turnlog.errors import FormatError
from turnlog.serializers.formats import codec
from turnlog.serializers.openai.parts import KINDS, why_not

OPENAI = TypeAdapter(list[ChatCompletionMessageParam])


def judge(messages: Any) -> None:
    """Raises the error that OpenAI's types report."""
    _read_whole(OPENAI.validate_python(messages))


def _read_whole(value: Any) -> None:
    """Reads the items of Iterables (content parts, calls), which pydantic checks only then."""
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for item in value:
            _read_whole(item)


def accepts(message: dict[str, Any]) -> bool:
    try:
        judge([message])
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [{"type": "text"}]},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "smell"}]},
        {"role": "user", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]},
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {}}]},
        {"role": "tool", "tool_call_id": "c", "content": [7]},
        {"role": "stranger", "content": "hi"},
        {"role": "user"},
    ],
)
def test_the_judge_refuses_an_invalid_message(message):
    with pytest.raises(ValidationError):
        judge([message])


def test_the_judge_accepts_parts():
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    judge([{"role": "user", "content": [{"type": "text", "text": "hi"}, picture]}])


texts = st.sampled_from(("", "x", "rain in Zürich"))
odd = st.sampled_from((None, 5, [], {}, "x", ["x"]))
images = st.fixed_dictionaries(
    {"url": texts | odd}, optional={"detail": st.sampled_from(("low", "original", "huge", 5))}
)
sounds = st.fixed_dictionaries(
    {"data": st.just("UklGRg==") | odd, "format": st.sampled_from(("wav", "mp3", "ogg", 5))}
)
files = st.fixed_dictionaries(
    {}, optional={"file_data": texts | odd, "file_id": texts, "filename": texts | odd}
)
parts = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts}),
    st.fixed_dictionaries({"type": st.just("text")}, optional={"text": odd}),
    st.fixed_dictionaries({"type": st.just("refusal"), "refusal": texts | odd}),
    st.fixed_dictionaries({"type": st.just("image_url"), "image_url": images | odd}),
    st.fixed_dictionaries({"type": st.just("input_audio"), "input_audio": sounds | odd}),
    st.fixed_dictionaries({"type": st.just("file"), "file": files | odd}),
    st.fixed_dictionaries({"type": st.sampled_from(("input_text", "output_text")), "text": texts}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": texts}),
    st.sampled_from(
        ({"type": "nonsense"}, {"type": "tool_use", "id": "c", "name": "f", "input": {}},
         {"type": "input_image", "image_url": "x"}, {"type": 5}, {"type": []}, {},
         {"text": "x"}, 5, None, "x")
    ),
)  # fmt: skip

BESIDE = {"tool": {"tool_call_id": "c"}}


@settings(max_examples=400)
@given(st.sampled_from(sorted(KINDS)), parts)
def test_the_table_of_parts_is_that_of_the_types(role: str, part: Any) -> None:
    message = {"role": role, "content": [part], **BESIDE.get(role, {})}
    assert (why_not(role, part) is None) == accepts(message)


calls = st.fixed_dictionaries(
    {
        "id": st.sampled_from(("c1", "c2", "")),
        "type": st.sampled_from(("function", "custom")),
        "function": st.fixed_dictionaries(
            {"name": st.sampled_from(("f", "g", "")),
             "arguments": st.sampled_from(("{}", "", '{"a":1}', "[]", "{broken", '{"n":NaN}'))}
        ),
    }
)  # fmt: skip
contents = st.one_of(texts, st.none(), st.lists(parts, max_size=3))
answers = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": contents},
    optional={
        "name": texts, "refusal": texts, "weight": st.sampled_from((0, 1, 2)),
        "reasoning_content": texts, "tool_calls": st.lists(calls, max_size=2),
        "function_call": st.sampled_from((None, {}, {"name": "f", "arguments": "{}"}, 5)),
        "audio": st.sampled_from((None, {}, {"id": "a"}, {"id": 5}, {"data": "UklGRg=="})),
    },
)  # fmt: skip
questions = st.fixed_dictionaries(
    {"role": st.sampled_from(("user", "system", "developer")), "content": contents},
    optional={"name": texts | odd},
)
results = st.fixed_dictionaries(
    {"role": st.just("tool"), "tool_call_id": st.sampled_from(("c1", "c2")), "content": contents},
    optional={"name": texts},
)
first_form = st.fixed_dictionaries(
    {"role": st.just("function"), "name": st.sampled_from(("f", "g")), "content": texts | st.none()}
)
ANSWER = {"role": "assistant", "content": "yes"}


def answered(said: dict[str, Any]) -> list[dict[str, Any]]:
    """A conversation whose only possible fault is in the message."""
    calls = said.get("tool_calls") or ()
    called = said.get("function_call") or {}
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "1"} for call in calls]
    if isinstance(called, dict) and called:
        results.append({"role": "function", "name": called["name"], "content": "1"})
    return [{"role": "user", "content": "hi"}, said, *results, ANSWER]


chats = st.one_of(
    (questions | answers).map(answered),
    st.lists(st.one_of(questions, answers, results, first_form), min_size=1, max_size=5),
)


@settings(max_examples=1500)
@given(chats)
@example([{"role": "user", "content": [{"type": "thinking", "thinking": "x"}]}, ANSWER])
@example([{"role": "user", "content": [{"type": "tool_use", "id": "c", "name": "f"}]}, ANSWER])
def test_written_messages_are_valid_by_openais_types_or_refused(messages: list[Any]) -> None:
    for said in written(messages, "openai"):
        judge(said)
        event("written")


def written(messages: list[Any], format: str) -> list[Any]:
    """The messages of each example; none if they are refused."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chat.jsonl"
        file.write_text(json.dumps({"id": "c", "messages": messages}) + "\n")
        (dialogue,) = codec("openai").read(file)
    return exported(dialogue, format) if isinstance(dialogue, Dialogue) else []


def exported(dialogue: Dialogue, format: str) -> list[Any]:
    try:
        made = list(codec(format).examples(dialogue))
    except FormatError:
        return []
    return [json.loads(json.dumps(each.content["messages"])) for each in made]


GOOD = [
    {"role": "developer", "content": "be brief"},
    {"role": "user", "content": [{"type": "text", "text": "hi"}], "name": "Bob"},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    {"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "x", "detail": "low"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}}]},
    {"role": "assistant", "content": None, "refusal": "no"},
    {"role": "user", "content": "rain?"},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
    {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "yes"}]},
    {"role": "assistant", "content": "Yes.", "weight": 0},
    {"role": "user", "content": "and there?"},
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
    {"role": "function", "name": "f", "content": "no"},
    {"role": "assistant", "content": None, "audio": {"id": "a"}},
]  # fmt: skip


def test_messages_of_every_kind_are_written_unchanged(tmp_path: Path) -> None:
    judge(GOOD)
    file = tmp_path / "chat.jsonl"
    file.write_text(json.dumps({"id": "c", "messages": GOOD}) + "\n")
    (dialogue,) = codec("openai").read(file)
    assert isinstance(dialogue, Dialogue)
    (one,) = codec("openai").examples(dialogue)
    assert one.content["messages"] == GOOD
    assert one.lost == {}


def check_texts(said: list[dict[str, Any]]) -> None:
    """What chat templates read: non-empty texts, and arguments that are objects."""
    for message in said:
        content = message["content"]
        assert isinstance(content, str) or message["tool_calls"]
        assert message["role"] == "tool" or message.get("tool_calls") or content.strip()
        for call in message.get("tool_calls", ()):
            assert isinstance(call["function"]["arguments"], dict)


@settings(max_examples=500)
@given(chats)
def test_contents_of_texts_alone_have_no_empty_ones(messages: list[Any]) -> None:
    for format in ("trl", "parquet"):
        for said in written(messages, format):
            check_texts(said)


HI, YES = Message("user", (Text("hi"),)), Message("assistant", (Text("yes"),))


@pytest.mark.parametrize("framework", [*message_shapes.FRAMEWORKS, "any"])
def test_what_frameworks_recorded_is_valid_by_the_types_or_refused(framework: str) -> None:
    shapes = message_shapes.FRAMEWORKS.get(
        framework, st.lists(message_shapes.messages(), max_size=3)
    )
    passed = Counter[str]()

    @settings(max_examples=150)
    @given(shapes)
    def check(messages: list[Message]) -> None:
        sent = for_model([HI, *messages, YES])
        dialogue = Dialogue("c", tuple(recorded_as(sent)))
        for said in exported(dialogue, "openai"):
            judge(said)
            passed["openai"] += 1
        for said in exported(dialogue, "trl"):
            check_texts(said)
            passed["trl"] += 1

    check()
    assert set(passed) == {"openai", "trl"}

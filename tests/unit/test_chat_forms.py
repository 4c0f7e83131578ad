"""Chats in each format: their text or a fault, never an empty message."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.formats import codec
from turnlog.serializers.shared.json_value import Unholdable

TEXTS = ("trl", "parquet", "sharegpt", "alpaca")
HI = {"role": "user", "content": "hi"}
IMAGE = {"type": "image_url", "image_url": {"url": "x"}}
BYE = {"role": "user", "content": "bye"}


def imported(folder: Path, messages: list[Any], **beside: Any) -> Dialogue:
    path = folder / "chat.jsonl"
    path.write_text(json.dumps({"id": "c", "messages": messages, **beside}) + "\n")
    (dialogue,) = codec("openai").read(path)
    assert isinstance(dialogue, Dialogue), dialogue
    return dialogue


def made(folder: Path, format: str, *messages: Any, **options: Any) -> Any:
    (example,) = codec(format, **options).examples(imported(folder, [*messages]))
    return example


def last_answer(format: str, content: Any) -> str:
    """The assistant's last words in a text format."""
    if format == "alpaca":
        return str(content["output"])
    if format == "sharegpt":
        return str(content["conversations"][-1]["value"])
    return str(content["messages"][-1]["content"])


def call(id: str, city: str, **beside: Any) -> dict[str, Any]:
    given = json.dumps({"city": city})
    return {"id": id, "type": "function", "function": {"name": "f", "arguments": given}, **beside}


ANSWERS = {
    "a refusal": ({"content": None, "refusal": "I will not."}, "I will not."),
    "a refusal among parts": ({"content": [{"type": "refusal", "refusal": "No."}]}, "No."),
    "texts in parts": (
        {"content": [{"type": "text", "text": "It "}, {"type": "text", "text": "rains."}]},
        "It rains.",
    ),
    "a spoken answer": (
        {"content": None, "audio": {"id": "a", "data": "UklGRg==", "transcript": "Rain."}},
        "Rain.",
    ),
    "an answer that was spoken": (
        {"content": None, "audio": {"id": "a", "transcript": "Rain."}}, "Rain."
    ),
    "an image with words": ({"content": [IMAGE, {"type": "text", "text": "see"}]}, "see"),
}  # fmt: skip


@pytest.mark.parametrize("format", TEXTS)
@pytest.mark.parametrize("name", ANSWERS)
def test_formats_of_texts_contain_the_text_of(name: str, format: str, tmp_path: Path) -> None:
    answer, text = ANSWERS[name]
    example = made(tmp_path, format, HI, {"role": "assistant", **answer})
    assert last_answer(format, example.content) == text


WORDLESS = {
    "an image alone": {"content": [IMAGE]},
    "a sound without a transcript": {"content": None, "audio": {"id": "a", "data": "UklGRg=="}},
    "a blank refusal": {"content": None, "refusal": " "},
    "blank texts": {"content": [{"type": "text", "text": ""}, {"type": "text", "text": "\n"}]},
    "nothing": {"content": None},
    "a call among the parts": {
        "content": [{"type": "text", "text": "x"}, {"type": "tool_use", "id": "c", "name": "f"}]
    },
    "an unknown part": {"content": [{"type": "nonsense"}]},
    "a broken call of the first form": {"content": "x", "function_call": {"name": 5}},
}


@pytest.mark.parametrize("format", TEXTS)
@pytest.mark.parametrize("name", WORDLESS)
def test_a_message_without_a_text_is_a_fault(name: str, format: str, tmp_path: Path) -> None:
    answer = {"role": "assistant", **WORDLESS[name]}
    with pytest.raises(FormatError, match=r"conversation 'c': turn 2: messages\[3\]"):
        made(tmp_path, format, HI, {"role": "assistant", "content": "hi"}, BYE, answer)


@pytest.mark.parametrize("format", TEXTS)
def test_a_users_image_without_words_is_a_fault(format: str, tmp_path: Path) -> None:
    shown = {"role": "user", "content": [IMAGE]}
    with pytest.raises(FormatError, match=r"turn 1: messages\[0\]\.content"):
        made(tmp_path, format, shown, {"role": "assistant", "content": "a cat"})


FIRST_FORM = (
    HI,
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
    {"role": "function", "name": "f", "content": "1"},
    {"role": "assistant", "content": "One."},
)


def test_calls_in_the_first_form_are_calls(tmp_path: Path) -> None:
    _, called, result, _ = made(tmp_path, "trl", *FIRST_FORM).content["messages"]
    (one,) = called["tool_calls"]
    assert one["function"] == {"name": "f", "arguments": {}}
    assert result == {"role": "tool", "tool_call_id": one["id"], "name": "f", "content": "1"}
    said = made(tmp_path, "sharegpt", *FIRST_FORM).content["conversations"]
    assert [part["from"] for part in said] == ["human", "function_call", "observation", "gpt"]
    assert json.loads(said[1]["value"]) == {"name": "f", "arguments": {}}


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_written_where_templates_read_it(name: str, tmp_path: Path) -> None:
    thought = {"role": "assistant", "content": "hi", name: "hm"}
    for format in ("trl", "parquet"):
        example = made(tmp_path, format, HI, thought)
        assert example.content["messages"][1] == {
            "role": "assistant", "content": "hi", "reasoning_content": "hm"
        }  # fmt: skip
    lost = made(tmp_path, "openai", HI, thought).lost
    assert any("Reasoning" in what or name in what for what in lost)
    assert made(tmp_path, "sharegpt", HI, thought).lost["assistant.reasoning_content"] == 1


def test_reasoning_alone_is_not_a_message(tmp_path: Path) -> None:
    thought = {"role": "assistant", "content": None, "reasoning_content": "hm"}
    example = made(tmp_path, "trl", HI, thought, {"role": "assistant", "content": "hi"})
    assert [one["content"] for one in example.content["messages"]] == ["hi", "hi"]
    assert example.lost["thoughts without an answer"] == 1


def test_reasoning_among_the_parts_is_recognised(tmp_path: Path) -> None:
    parts = [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "text", "text": "a"},
    ]
    answer = {"role": "assistant", "content": parts}
    assert made(tmp_path, "trl", HI, answer).content["messages"][1]["reasoning_content"] == "hm"
    example = made(tmp_path, "openai", HI, answer)
    assert example.content["messages"][1]["content"] == [{"type": "text", "text": "a"}]
    assert example.lost == {"content of type thinking": 1}


@pytest.mark.parametrize("results", [("a", "b", "c"), ("c", "a", "b"), ("b", "c", "a")])
def test_results_of_parallel_calls_are_in_the_order_of_the_calls(
    results: tuple[str, ...], tmp_path: Path
) -> None:
    calls = [call(id, f"city of {id}") for id in "abc"]
    came = [{"role": "tool", "tool_call_id": id, "content": f"rain in {id}"} for id in results]
    answer = {"role": "assistant", "content": "So."}
    asked = {"role": "assistant", "content": None, "tool_calls": calls}
    said = made(tmp_path, "sharegpt", HI, asked, *came, answer).content["conversations"]
    cities = [one["arguments"]["city"] for one in json.loads(said[1]["value"])]
    assert list(zip(cities, json.loads(said[2]["value"]), strict=True)) == [
        (f"city of {id}", f"rain in {id}") for id in "abc"
    ]


UNLEARNT = (
    HI,
    {"role": "assistant", "content": "what?", "weight": 0},
    {"role": "user", "content": "bye", "name": "Bob"},
    {"role": "assistant", "content": "Bye!", "weight": 1},
)


def test_an_answer_of_weight_0_keeps_its_weight_or_is_omitted(tmp_path: Path) -> None:
    for format in ("openai", "trl", "parquet"):
        said = made(tmp_path, format, *UNLEARNT).content["messages"]
        assert [one.get("weight") for one in said] == [None, 0, None, 1]
        assert said[2]["name"] == "Bob"
    for format in ("sharegpt", "alpaca"):
        example = made(tmp_path, format, *UNLEARNT)
        assert "what?" not in json.dumps(example.content)
        assert last_answer(format, example.content) == "Bye!"
        assert example.lost == {"turn with an answer of weight 0": 1, "user.name": 1}


ASKED = (HI, {"role": "assistant", "content": "hi"}, BYE)
ENDED = (*ASKED[:2], BYE, {"role": "assistant", "content": None, "tool_calls": [call("a", "Rome")]},
        {"role": "tool", "tool_call_id": "a", "content": "1"})  # fmt: skip


@pytest.mark.parametrize("format", ["openai", "trl", "parquet"])
@pytest.mark.parametrize(("said", "role", "kept"), [(ASKED, "user", 2), (ENDED, "tool", 4)])
def test_an_unanswered_end_is_noted_and_can_be_cut_off(
    format: str, said: tuple[Any, ...], role: str, kept: int, tmp_path: Path
) -> None:
    whole = made(tmp_path, format, *said)
    assert len(whole.content["messages"]) == len(said)
    assert f"conversation that ends with a message of the role {role}; see --trim" in whole.noted
    cut = made(tmp_path, format, *said, trim=True)
    assert len(cut.content["messages"]) == kept
    assert cut.noted[f"message of the role {role} cut off at the end"] == 1
    assert not any("ends with" in what for what in cut.noted)
    assert cut.lost == {}


def test_calls_without_the_tools_are_noted(tmp_path: Path) -> None:
    (what,) = (name for name in made(tmp_path, "openai", *ENDED).noted if "tools" in name)
    assert what == "conversation with calls and without the tools that could be called"
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    (example,) = codec("openai").examples(imported(tmp_path, [*ENDED], tools=[tool]))
    assert list(example.noted) == [
        "conversation that ends with a message of the role tool; see --trim"
    ]


def calling(arguments: str) -> tuple[Any, ...]:
    one = {"id": "a", "type": "function", "function": {"name": "f", "arguments": arguments}}
    return HI, {"role": "assistant", "content": "", "tool_calls": [one]}


@pytest.mark.parametrize("given", ["", " ", "{}"])
def test_arguments_of_none_are_an_empty_object(given: str, tmp_path: Path) -> None:
    for format, expected in (("openai", "{}"), ("trl", {}), ("parquet", {})):
        message = made(tmp_path, format, *calling(given)).content["messages"][1]
        assert message["tool_calls"][0]["function"]["arguments"] == expected
    said = made(tmp_path, "sharegpt", *calling(given)).content["conversations"]
    assert json.loads(said[1]["value"]) == {"name": "f", "arguments": {}}


def test_no_arguments_in_the_first_form_are_an_empty_object(tmp_path: Path) -> None:
    called = {**FIRST_FORM[1], "function_call": {"name": "f", "arguments": ""}}
    for format in ("openai", "trl"):
        example = made(tmp_path, format, HI, called, *FIRST_FORM[2:])
        assert example.content == made(tmp_path, format, *FIRST_FORM).content


@pytest.mark.parametrize("number", ["18446744073709551616", "9" * 300, "1e400", "-" + "1" * 30])
def test_a_long_number_is_written_where_arguments_are_text(number: str, tmp_path: Path) -> None:
    said = calling(f'{{"n": {number}}}')
    message = made(tmp_path, "openai", *said).content["messages"][1]
    assert message["tool_calls"][0]["function"]["arguments"] == f'{{"n": {number}}}'
    for format in TEXTS[:2]:
        with pytest.raises(Unholdable, match=r"'c': turn 1: messages\[1\].*arguments\.n: "):
            made(tmp_path, format, *said)


@pytest.mark.parametrize("given", ['{"n": NaN}', '{"n": -Infinity}', '{"n": "\\ud800"}'])
@pytest.mark.parametrize("format", ["openai", *TEXTS[:3]])
def test_values_outside_json_are_not_written(given: str, format: str, tmp_path: Path) -> None:
    with pytest.raises(Unholdable, match=r"conversation 'c': turn 1: messages\[1\]"):
        made(tmp_path, format, *calling(given))


def test_a_pretty_printed_conversation_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    source = {"messages": [HI, {"role": "assistant", "content": "hi\nthere"}], "id": "one"}
    path.write_text(json.dumps(source, indent=2))
    (dialogue,) = codec("openai").read(path)
    assert isinstance(dialogue, Dialogue)
    (example,) = codec("openai").examples(dialogue)
    out = io.BytesIO()
    codec("openai").write([example], out)
    assert json.loads(out.getvalue()) == source

"""Training formats by example: the written rows and the counts of lost values."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Usage
from turnlog.domain.message import Message
from turnlog.domain.message_parts import Media, Reasoning, Refusal, Text, ToolCall
from turnlog.domain.message_recording import recorded_as
from turnlog.errors import FormatError
from turnlog.serializers.formats import codec
from turnlog.serializers.rasa.text import _ANNOTATED, annotated

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {}}}

TALK = (
    e.SystemInstructed("Be brief.", [TOOL]),
    e.BotUttered("Welcome!"),
    e.UserUttered("rain in Rome and Oslo?"),
    e.BotUttered("Let me see."),
    e.ToolCalled("weather", {"city": "Rome"}, "c1", cause=4),
    e.ToolCalled("weather", {"city": "Oslo"}, "c2", cause=4),
    e.ToolReturned({"rain": False}, "c1"),
    e.ToolReturned("yes", "c2"),
    e.BotUttered("Rome no."),
    e.BotUttered("Oslo yes."),
    e.UserUttered("thanks"),
)


def made(format: str, *events: e.Event) -> list[Any]:
    return list(codec(format).examples(Dialogue("c", events)))


def one(format: str, *events: e.Event) -> Any:
    (example,) = made(format, *events)
    return example


def file(format: str, *events: e.Event) -> Any:
    out = io.BytesIO()
    codec(format).write(made(format, *events), out)
    return yaml.safe_load(out.getvalue())


def test_sharegpt_takes_turns_and_calls_at_once_are_a_list():
    example = one("sharegpt", *TALK)
    said = [(part["from"], part["value"]) for part in example.content["conversations"]]
    assert said == [
        ("human", "rain in Rome and Oslo?"),
        (
            "function_call",
            '[{"name":"weather","arguments":{"city":"Rome"}},'
            '{"name":"weather","arguments":{"city":"Oslo"}}]',
        ),
        ("observation", '["{\\"rain\\":false}","yes"]'),
        ("gpt", "Rome no.\n\nOslo yes."),
    ]
    assert example.content["system"] == "Be brief."
    assert json.loads(example.content["tools"]) == [TOOL]
    assert example.lost == {
        "message of the assistant before the first of the user": 1,
        "result that is not a text": 1,
        "text beside a tool call": 1,
        "message joined to the one before": 1,
        "message of the user at the end without an answer": 1,
    }


@pytest.mark.parametrize("held", [(None, "{broken"), ("null", "null"), (None, "[1]")])
@pytest.mark.parametrize("format", ["openai", "trl", "sharegpt", "alpaca", "atif", "parquet"])
def test_arguments_that_are_not_an_object_are_a_fault_in_every_chat_format(format, held):
    call = e.ToolCalled("f", held[0], "x", raw=held[1])
    with pytest.raises(FormatError, match="not a JSON object") as caught:
        made(format, e.UserUttered("hi"), call, e.ToolReturned("1", "x"), e.BotUttered("ok"))
    assert (caught.value.conversation, caught.value.turn) == ("c", 1)


TWICE = '{"a": 1, "a": 2}'


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (e.ToolCalled("f", TWICE, "x", raw=TWICE), "duplicate key 'a'"),
        (e.ToolCalled("f", "z", "x", raw="z", extra={"type": "custom"}), "is a custom tool"),
    ],
)
def test_the_fault_of_arguments_says_what_is_wrong(call, why):
    for format in ("openai", "trl"):
        with pytest.raises(FormatError, match=why) as caught:
            made(format, e.UserUttered("hi"), call, e.ToolReturned("1", "x"), e.BotUttered("ok"))
        assert caught.value.turn == 1


def test_tools_that_were_taken_away_are_not_written():
    tools = e.SystemInstructed(tools=[TOOL]), e.SystemInstructed(tools=[])
    for format in ("openai", "trl"):
        example = one(format, *tools, e.UserUttered("hi"), e.BotUttered("ok"))
        assert "tools" not in example.content
        assert example.lost["tools that others replace"] == 1


def test_alpaca_has_pairs_of_words_only():
    example = one("alpaca", *TALK, e.BotUttered("You are welcome."))
    assert example.content == {
        "instruction": "thanks", "input": "", "output": "You are welcome.",
        "system": "Be brief.",
        "history": [["rain in Rome and Oslo?", "Rome no.\n\nOslo yes."]],
    }  # fmt: skip
    assert example.lost["tool call"] == example.lost["tool answer"] == 1


def test_trl_has_tools_and_arguments_as_objects_and_texts_as_contents():
    parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": "x"}}]
    example = one("trl", *TALK, e.UserUttered("see", {"content": parts}))
    assert example.content["tools"] == [TOOL]
    called = [call for m in example.content["messages"] for call in m.get("tool_calls", ())]
    assert [call["function"]["arguments"] for call in called] == [
        {"city": "Rome"},
        {"city": "Oslo"},
    ]
    assert example.content["messages"][-1] == {"role": "user", "content": "see"}
    assert example.lost["content of type image_url"] == 1


def test_a_message_without_a_text_is_lost_but_not_a_fault():
    example = one(
        "openai", e.UserUttered("hi"), e.BotUttered(None, {"image": "x"}), e.BotUttered("look")
    )
    assert [message["role"] for message in example.content["messages"]] == ["user", "assistant"]
    assert example.lost["BotUttered.data.image"] == 1


def test_an_image_with_an_empty_text_is_lost_but_not_a_fault():
    image = e.BotUttered("", {"image": "x", "buttons": None})
    example = one("openai", e.UserUttered("hi"), image, e.BotUttered("look"))
    assert len(example.content["messages"]) == 2
    assert example.lost == {"BotUttered.data.image": 1}


def test_a_payload_has_its_entities_in_itself():
    said = e.UserUttered('/inform{"city": "Rome"}')
    entity = e.Entity("city", "Rome", 7, 23)
    (story,) = file("rasa-e2e", said, e.MessageUnderstood(e.Intent("inform"), (entity,)))["stories"]
    assert story["steps"] == [{"user": '/inform{"city": "Rome"}', "intent": "inform"}]


def test_a_chat_without_an_answer_is_a_fault():
    with pytest.raises(FormatError, match="turn 1: messages: no message of the assistant"):
        one("openai", e.UserUttered("hi"))


STORY = (
    e.ActionExecuted("action_session_start"),
    e.SessionStarted(),
    e.ActionExecuted("action_listen"),
    e.UserUttered("a table in Milan", message_id="m"),
    e.MessageUnderstood(e.Intent("book"), (e.Entity("city", "Milano", 11, 16),), 4),
    e.ActionExecuted("booking_form"),
    e.LoopActivated("booking_form"),
    e.SlotSet("city", "Milano"),
    e.SlotSet("people", 2),
    e.BotUttered("For two?"),
    e.LoopActivated(),
)


def test_a_story_has_intents_entities_slots_forms_and_actions():
    (story,) = file("rasa-stories", *STORY)["stories"]
    assert story == {
        "story": "c",
        "steps": [
            {"intent": "book", "entities": [{"city": "Milano"}]},
            {"action": "booking_form"},
            {"active_loop": "booking_form"},
            {"slot_was_set": [{"city": "Milano"}, {"people": 2}]},
            {"active_loop": None},
        ],
    }


def test_an_end_to_end_test_has_the_texts():
    (story,) = file("rasa-e2e", *STORY)["stories"]
    text = 'a table in [Milan]{"entity": "city", "value": "Milano"}'
    assert story["steps"][0] == {"user": text, "intent": "book"}


def test_a_session_is_a_story_and_begins_with_the_slots_it_was_given():
    again = (
        e.SessionConfigured(None, carry_over=True),
        e.SessionStarted(),
        e.UserUttered("bye"),
        e.MessageUnderstood(e.Intent("bye"), message=14),
        e.ActionExecuted("utter_bye"),
    )
    first, second = made("rasa-stories", *STORY, *again)
    assert (first.first_event, first.last_event) == (2, 12)
    assert (second.first_event, second.last_event) == (13, 16)
    assert second.content["story"] == "c (session 2)"
    assert second.content["steps"][0] == {"slot_was_set": [{"city": "Milano"}, {"people": 2}]}


def test_nlu_has_each_intent_once_and_long_texts_separately():
    def said(text: str, intent: str) -> tuple[e.Event, ...]:
        return e.UserUttered(text), e.MessageUnderstood(e.Intent(intent))

    events = (
        *said("hi", "greet"), *said("bye", "bye"), *said("hi\nyou", "greet"),
        *said("/greet", "greet"), *said("hello: there #1", "greet"),
    )  # fmt: skip
    assert file("rasa-nlu", *events)["nlu"] == [
        {"intent": "greet", "examples": "- hi\n- hello: there #1\n"},
        {"intent": "greet", "examples": [{"text": "hi\nyou"}]},
        {"intent": "bye", "examples": "- bye\n"},
    ]
    lost = made("rasa-nlu", *events)[0].lost
    assert lost == {"message without a text of the user's own": 1}


def test_nothing_to_write_is_an_empty_list():
    assert file("rasa-nlu") == {"version": "3.1", "nlu": []}
    assert file("sharegpt") == []


@given(
    st.text(st.sampled_from("ab[](){}:\"\\u00e9 \n'")).map(str.strip),
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), max_size=3),
    st.text('ab]}{"\\ ', max_size=4),
)
def test_rasa_reads_the_original_text_from_an_annotated_one(text, places, value):
    entities = [
        e.Entity("thing", value, start, start + length)
        for start, length in places
        if start + length <= len(text)
    ]
    written = annotated(text, entities, lost := Counter())
    if written is None:
        assert lost["text that Rasa would read as another"] == 1
    else:
        read = list(_ANNOTATED.finditer(written))
        assert _ANNOTATED.sub(lambda match: match["text"], written) == text
        assert len(read) + sum(lost.values()) == len(entities)
        for match in read:
            assert json.loads("{" + match["dict"] + "}").get("value", match["text"]) == value


def test_typed_parts_are_written_and_others_are_counted() -> None:
    image = Media("image", uri="https://example.org/a.png")
    said = [
        Message("developer", (Text("be brief"),)),
        Message("user", (image, Text("what is it?")), name="Bob"),
        Message("assistant", (Reasoning("hm"),)),
        Message("assistant", (Reasoning("so"), Text("a cat"), ToolCall("1", "w", server=True)),
                usage=Usage(output=3)),
        Message("user", (Media("image", sha256="00"),)),
        Message("assistant", (Refusal("no"),), finish="broken_off"),
    ]  # fmt: skip
    (example,) = made("openai", *recorded_as(said))
    assert example.content["messages"] == [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "name": "Bob", "content": [
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
            {"type": "text", "text": "what is it?"}]},
        {"role": "assistant", "content": "a cat"},
        {"role": "assistant", "content": None, "refusal": "no"},
    ]  # fmt: skip
    assert example.lost == {
        "ReasoningAdded": 2, "BotUttered.cause": 1, "ToolCalled.server": 1, "AnswerMeasured": 1,
        "Media without a place in a chat message": 1, "AnswerBrokenOff": 1,
    }  # fmt: skip

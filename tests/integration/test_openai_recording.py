"""The OpenAI SDK with a made-up model: its own types in and out, and every call in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

import turnlog
import turnlog.openai
from tests.made_up_model import MadeUpModel, made_up_model
from turnlog import (
    AgentUttered,
    BotUttered,
    SystemInstructed,
    ToolCalled,
    ToolReturned,
    Turnlog,
    UserUttered,
)
from turnlog.domain.message_parts import Media, Opaque, Reasoning, Text, ToolCall, ToolResult

SYSTEM = {"role": "system", "content": "Be brief."}
CALL = {"id": "c1", "type": "function", "function": {"name": "rain", "arguments": '{"in": "Oslo"}'}}
TOOLS: Any = [{"type": "function", "function": {"name": "rain", "parameters": {}}}]


def user(text: str) -> Any:
    return {"role": "user", "content": text}


def bot(text: str) -> Any:
    return {"role": "assistant", "content": text}


@pytest.fixture
def model() -> Iterator[MadeUpModel]:
    with made_up_model() as model:
        yield model


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Turnlog]:
    with turnlog.open(f"sqlite:///{tmp_path / 'log.db'}") as log:
        yield log


@pytest.fixture
def client(model: MadeUpModel, log: Turnlog) -> Iterator[openai.OpenAI]:
    with (
        openai.OpenAI(api_key="none", base_url=model.url, max_retries=0) as client,
        turnlog.openai.record(client, log, "a") as recorded,
    ):
        yield recorded


def said(log: Turnlog, id: str = "a") -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in log.conversation(id).messages()]


def ask(client: openai.OpenAI, *messages: Any, **options: Any) -> Any:
    return client.chat.completions.create(model="made-up-1", messages=messages, **options)


def test_a_conversation_sent_repeatedly_is_recorded_once(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    model.says.extend([bot("Yes."), bot("No.")])
    one = ask(client, SYSTEM, user("rain?"))
    assert type(one) is openai.types.chat.ChatCompletion
    two = ask(client, SYSTEM, user("rain?"), one.choices[0].message, user("and snow?"))
    assert two.choices[0].message.content == "No."
    assert said(log) == [
        ("system", "Be brief."), ("user", "rain?"), ("assistant", "Yes."),
        ("user", "and snow?"), ("assistant", "No."),
    ]  # fmt: skip
    assert log.conversation("a").turn == 2


def test_metadata_of_an_answer_is_recorded_with_it(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    model.says.append(bot("Yes."))
    ask(client, user("rain?"))
    *_, answer = log.conversation("a").messages()
    assert (answer.id, answer.model, answer.finish) == ("chatcmpl-1", "made-up-1", "stop")
    usage = answer.usage
    assert usage is not None
    assert (usage.input, usage.output, usage.cached, usage.reasoning) == (7, 3, 2, 1)
    assert usage.latency is not None


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_and_answer(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel, stream: bool
) -> None:
    model.says.extend([{"content": "Let me see.", "tool_calls": [CALL]}, bot("It rains.")])
    sent: list[Any] = [user("rain?")]
    if stream:
        with client.chat.completions.stream(
            model="made-up-1", messages=sent, tools=TOOLS
        ) as pieces:
            answer = pieces.get_final_completion().choices[0].message
    else:
        answer = ask(client, *sent, tools=TOOLS).choices[0].message
    assert answer.tool_calls[0].function.arguments == '{"in": "Oslo"}'
    sent += [
        {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "wet"},
    ]
    ask(client, *sent, tools=TOOLS)
    question, call, result, last = log.conversation("a").messages()
    arguments = ToolCall("c1", "rain", {"in": "Oslo"}, raw='{"in": "Oslo"}')
    assert call.parts == (Text("Let me see."), arguments)
    assert result.parts == (ToolResult("c1", None, "wet"),)
    assert (question.text, last.text) == ("rain?", "It rains.")
    tools = [e.tools for e in log.conversation("a").events() if isinstance(e, SystemInstructed)]
    assert tools == [TOOLS]


def test_a_streamed_answer_is_recorded_before_its_end_is_seen(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    model.says.append(bot("It rains in Oslo."))
    options = {"include_usage": True}
    chunks = list(ask(client, user("rain?"), stream=True, stream_options=options))
    assert type(chunks[0]) is openai.types.chat.ChatCompletionChunk
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    *_, answer = log.conversation("a").messages()
    assert answer.text == text == "It rains in Oslo."
    assert answer.finish == "stop"
    assert answer.usage is not None
    assert answer.usage.first_token is not None
    assert answer.usage.input == 7


def test_an_answer_not_read_to_its_end_is_broken_off(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    model.says.append(bot("It rains."))
    model.waits = 5
    with ask(client, user("rain?"), stream=True) as chunks:
        for chunk in chunks:
            if (chunk.choices[0].delta.content or "") == "r":
                break
    *_, answer = log.conversation("a").messages()
    assert (answer.text, answer.finish) == ("It r", "broken_off")


def test_a_question_that_fails_is_recorded_once_and_can_be_asked_again(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    model.says.extend([500, 429, bot("Yes.")])
    with pytest.raises(openai.InternalServerError):
        ask(client, user("rain?"))
    with pytest.raises(openai.RateLimitError):
        ask(client, user("rain?"))
    ask(client, user("rain?"))
    assert said(log) == [("user", "rain?"), ("assistant", "Yes.")]


def test_an_answer_requested_again_replaces_the_first(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    model.says.extend([bot("Yes."), bot("Perhaps."), bot("Good.")])
    ask(client, user("rain?"))
    ask(client, user("rain?"))
    assert said(log) == [("user", "rain?"), ("assistant", "Perhaps.")]
    ask(client, user("rain?"), bot("Perhaps."), user("ok"))
    assert said(log)[2:] == [("user", "ok"), ("assistant", "Good.")]
    texts = [e.text for e in log.conversation("a").events() if isinstance(e, BotUttered)]
    assert texts == ["Yes.", "Perhaps.", "Good."]


def test_a_window_of_the_conversation_is_known(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    log.record("a", UserUttered("one"), BotUttered("1"), UserUttered("two"), BotUttered("2"))
    model.says.extend([bot("3"), bot("4"), bot("5")])
    ask(client, SYSTEM, user("two"), bot("2"), user("three"))
    ask(client, SYSTEM, bot("a summary"), user("four"))
    assert [text for _, text in said(log)] == [
        "one", "1", "two", "2", "Be brief.", "three", "3", "four", "4",
    ]  # fmt: skip


def test_what_others_say_between_two_calls_is_not_taken_back(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    """A client with its own history does not send what it never heard."""
    model.says.extend([bot("Yes."), bot("No."), bot("Fog.")])
    ask(client, user("rain?"))
    log.record("a", BotUttered("Your taxi is here."), AgentUttered("I have a look."))
    log.record("a", ToolCalled("lights", {}, "t1"), ToolReturned("on", "t1"))
    ask(client, user("rain?"), bot("Yes."), user("snow?"))
    log.record("a", BotUttered("It waits."))
    ask(client, user("rain?"), bot("Yes."), user("snow?"), bot("No."), user("what then?"))
    assert [text for _, text in said(log)] == [
        "rain?", "Yes.", "Your taxi is here.", "I have a look.", "", "", "snow?", "No.",
        "It waits.", "what then?", "Fog.",
    ]  # fmt: skip


def test_what_others_say_may_be_sent_or_not(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    model.says.extend([bot("Yes."), bot("No."), bot("Fog."), bot("Sun.")])
    ask(client, user("rain?"))
    log.record("a", BotUttered("Your taxi is here."))
    log.record("a", BotUttered("It waits."))
    heard = [user("rain?"), bot("Yes."), bot("Your taxi is here."), user("snow?")]
    ask(client, *heard)
    ask(client, *heard[-2:], bot("No."), user("what then?"))
    assert [text for _, text in said(log)] == [
        "rain?", "Yes.", "Your taxi is here.", "It waits.", "snow?", "No.", "what then?", "Fog.",
    ]  # fmt: skip


def test_an_answer_requested_again_retracts_nothing_of_others(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    model.says.extend([bot("Yes."), bot("Perhaps."), bot("No.")])
    ask(client, user("rain?"))
    log.record("a", BotUttered("Your taxi is here."))
    ask(client, user("rain?"))
    assert [text for _, text in said(log)] == ["rain?", "Yes.", "Your taxi is here.", "Perhaps."]
    ask(client, user("rain?"), bot("Perhaps."), user("sure?"))
    assert [text for _, text in said(log)][3:] == ["Perhaps.", "sure?", "No."]


def test_a_spoken_answer_is_recorded_and_sent_back_by_its_id(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    audio = {"id": "audio_1", "expires_at": 9, "data": "UklGRg==", "transcript": "Yes."}
    model.says.extend([{"audio": audio}, bot("No.")])
    ask(client, user("rain?"))
    ask(client, user("rain?"), {"role": "assistant", "audio": {"id": "audio_1"}}, user("snow?"))
    question, spoken, *_ = said = list(log.conversation("a").messages())
    assert spoken.parts == (Media("audio", content=b"RIFF"),)
    assert spoken.as_openai()["audio"] == audio
    assert [message.text for message in said] == ["rain?", "", "snow?", "No."]
    assert question.text == "rain?"


FIRST_FORM = {"name": "rain", "arguments": '{"in": "Oslo"}'}


def first_form_pieces() -> tuple[str, bytes]:
    """The answer that calls a function, as a stream."""
    deltas: list[Any] = [
        {"role": "assistant", "content": None, "function_call": {"name": "rain", "arguments": ""}},
        {"function_call": {"arguments": '{"in": '}},
        {"function_call": {"arguments": '"Oslo"}'}},
        {},
    ]
    beside = {"id": "x", "created": 1, "model": "m", "object": "chat.completion.chunk"}
    lines = [
        {**beside, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in zip(deltas, (None, None, None, "function_call"), strict=True)
    ]
    body = "".join(f"data: {json.dumps(line)}\n\n" for line in lines) + "data: [DONE]\n\n"
    return "text/event-stream", body.encode()


@pytest.mark.parametrize("stream", [False, True])
def test_functions_are_called_in_the_first_form_of_the_api(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel, stream: bool
) -> None:
    model.says.append(first_form_pieces() if stream else {"function_call": FIRST_FORM})
    model.says.append(bot("It rains."))
    answer = ask(client, user("rain?"), stream=stream)
    if stream:
        list(answer)
    history: list[Any] = [
        user("rain?"),
        {"role": "assistant", "content": None, "function_call": FIRST_FORM},
        {"role": "function", "name": "rain", "content": "wet"},
    ]
    ask(client, *history)
    said = list(log.conversation("a").messages())
    [call] = [part for part in said[1].parts if isinstance(part, ToolCall)]
    assert (call.name, call.arguments, call.raw) == ("rain", {"in": "Oslo"}, '{"in": "Oslo"}')
    assert said[2].parts == (ToolResult(call.id, "rain", "wet"),)
    assert [message.as_openai() for message in said] == [*history, bot("It rains.")]


CUSTOM = {"id": "c1", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}


@pytest.mark.parametrize("stream", [False, True])
def test_tools_that_take_any_text_are_recorded(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel, stream: bool
) -> None:
    if stream:
        delta = {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "sql", "input": ""}}
        halves = [{"index": 0, "custom": {"input": half}} for half in ("SELECT", " 1")]
        pieces = [{"delta": {"tool_calls": [each]}, "index": 0} for each in (delta, *halves)]
        pieces.append({"delta": {}, "index": 0, "finish_reason": "tool_calls"})
        body = "".join(f"data: {json.dumps({'choices': [each]})}\n\n" for each in pieces)
        model.says.append(("text/event-stream", body.encode() + b"data: [DONE]\n\n"))
        list(ask(client, user("how many?"), stream=True))
    else:
        model.says.append({"tool_calls": [CUSTOM]})
        ask(client, user("how many?"))
    *_, call = log.conversation("a").messages()
    assert call.parts == (ToolCall("c1", "sql", "SELECT 1", raw="SELECT 1"),)
    model.says.append(bot("One."))
    result = {"role": "tool", "tool_call_id": "c1", "content": "1"}
    ask(client, user("how many?"), {"role": "assistant", "tool_calls": [CUSTOM]}, result)
    assert [role for role, _ in said(log)] == ["user", "assistant", "tool", "assistant"]


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"choices": null}'])
def test_an_error_answer_is_passed_on(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel, body: bytes
) -> None:
    model.says.append(("application/json" if body[:1] != b"<" else "text/html", body))
    raw = client.chat.completions.with_raw_response.create(
        model="made-up-1", messages=[user("rain?")]
    )
    assert raw.content == body
    assert said(log) == [("user", "rain?")]


def test_unknown_content_is_kept_unchanged(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    strange = {"role": "assistant", "content": {"of": "tomorrow"}}
    model.says.extend([strange, bot("Yes.")])
    ask(client, user("rain?"))
    *_, answer = log.conversation("a").messages()
    [part] = answer.parts
    assert isinstance(part, Opaque)
    assert part.content["choices"][0]["message"]["content"] == {"of": "tomorrow"}
    ask(client, user("rain?"), strange, user("really?"))
    assert said(log)[-2:] == [("user", "really?"), ("assistant", "Yes.")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("lines", [1, 2])
def test_pieces_are_read_with_any_line_end(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel, end: str, lines: int
) -> None:
    pieces = [
        {"choices": [{"index": 0, "delta": {"content": "It "}}]},
        {"choices": [{"index": 0, "delta": {"content": "rains."}, "finish_reason": "stop"}]},
    ]
    texts = [json.dumps(piece, indent=None if lines == 1 else 1) for piece in pieces]
    events = ["".join(f"data: {line}{end}" for line in text.splitlines()) for text in texts]
    body = "".join(f": a comment{end}{event}{end}" for event in [*events, f"data: [DONE]{end}"])
    model.says.append(("text/event-stream", body.encode()))
    chunks = list(ask(client, user("rain?"), stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "It rains."
    assert said(log)[-1] == ("assistant", "It rains.")


def test_a_client_that_sends_no_history_may_say_the_same_again(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    model.says.extend([bot("1"), bot("2"), bot("3")])
    for text in ("hi", "how?", "hi"):
        ask(client, user(text))
    assert [text for _, text in said(log)] == ["hi", "1", "how?", "2", "hi", "3"]


ITEMS = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "think"}],
     "encrypted_content": "xyz"},
    {"type": "web_search_call", "id": "ws_1", "status": "completed",
     "action": {"type": "search", "query": "rain"}},
    {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
     "content": [{"type": "output_text", "text": "It rains.", "annotations": []}]},
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "rain", "status": "completed",
     "arguments": '{"in":"Oslo"}'},
]  # fmt: skip


@pytest.mark.parametrize("stream", [False, True])
def test_responses_are_recorded_too(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel, stream: bool
) -> None:
    model.says.extend([ITEMS, ITEMS[2:3]])
    if stream:
        pieces = client.responses.create(model="made-up-1", input="rain?", stream=True)
        response = list(pieces)[-1].response  # type: ignore[union-attr]
    else:
        response = client.responses.create(model="made-up-1", instructions="Be.", input="rain?")
    assert response.output_text == "It rains."
    result: Any = {"type": "function_call_output", "call_id": "c1", "output": "wet"}
    client.responses.create(model="made-up-1", input=[user("rain?"), *response.output, result])
    messages = [m for m in log.conversation("a").messages() if m.role != "system"]
    assert [message.role for message in messages] == ["user", "assistant", "tool", "assistant"]
    assert messages[1].parts == (
        Reasoning("think", opaque="xyz"), Opaque("openai", "web_search_call", ITEMS[1]),
        Text("It rains."), ToolCall("c1", "rain", {"in": "Oslo"}),
    )  # fmt: skip
    results = [e.result for e in log.conversation("a").events() if isinstance(e, ToolReturned)]
    assert results == ["wet"]


def test_if_the_provider_keeps_the_history_everything_sent_is_new(
    client: openai.OpenAI, log: Turnlog, model: MadeUpModel
) -> None:
    model.says.extend([ITEMS[2:3], ITEMS[2:3]])
    one = client.responses.create(model="made-up-1", input="rain?")
    client.responses.create(model="made-up-1", input="rain?", previous_response_id=one.id)
    assert [text for _, text in said(log)] == ["rain?", "It rains.", "rain?", "It rains."]


def test_requests_to_no_model_pass(client: openai.OpenAI, log: Turnlog, model: MadeUpModel) -> None:
    model.says.append({"content": "x"})
    client.post("/embeddings", body={"input": "x"}, cast_to=object)
    assert "a" not in log


@pytest.mark.parametrize("stream", [False, True])
async def test_asynchronous_clients_are_recorded_too(
    model: MadeUpModel, tmp_path: Path, stream: bool
) -> None:
    model.says.append(bot("Yes."))
    async with (
        turnlog.aopen(f"sqlite:///{tmp_path / 'log.db'}") as log,
        openai.AsyncOpenAI(api_key="none", base_url=model.url) as plain,
        turnlog.openai.record(plain, log, "a") as client,
    ):
        answer: Any = await client.chat.completions.create(
            model="made-up-1", messages=[user("rain?")], stream=stream
        )
        if stream:
            async for _ in answer:
                pass
        assert [type(event) for event in await log.read_events("a")][:2] == [
            UserUttered, BotUttered,
        ]  # fmt: skip


def test_clients_of_another_type_are_refused(log: Turnlog) -> None:
    text: Any = "text"
    with pytest.raises(TypeError, match="an OpenAI or AsyncOpenAI client was expected"):
        turnlog.openai.record(text, log, "a")


async def test_a_plain_client_does_not_record_into_an_asynchronous_log(model: MadeUpModel) -> None:
    async with turnlog.aopen("memory:") as log:
        client = openai.OpenAI(api_key="none", base_url=model.url)
        with client, pytest.raises(TypeError, match=r"turnlog\.open, not of aopen"):
            turnlog.openai.record(client, log, "a")

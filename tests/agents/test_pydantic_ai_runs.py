"""Agents of every kind: what their runs say round-trips in pydantic-ai's own JSON."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import (
    Agent,
    ApprovalRequired,
    BinaryContent,
    CallDeferred,
    DeferredToolRequests,
    DeferredToolResults,
    ModelRetry,
    RunContext,
    ToolDenied,
    ToolReturn,
)
from pydantic_ai import messages as m
from pydantic_ai.conversation import Conversation, ConversationTypeAdapter
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.run import AgentRunResult

from turnlog.agents.pydantic_ai import TurnlogConversationStore
from turnlog.agents.pydantic_ai.messages import read
from turnlog.agents.pydantic_ai.saving import document
from turnlog.audit.verify import verify
from turnlog.domain.message_equality import alike

LARGE = bytes(range(256)) * 1024


@pytest.fixture
def store(url: str) -> Iterator[TurnlogConversationStore]:
    with TurnlogConversationStore(url) as opened:
        yield opened
        assert verify(opened.log.store).faults == []


async def kept(
    store: TurnlogConversationStore, said: AgentRunResult[Any] | Conversation
) -> Conversation:
    """A conversation once it is saved, as a new reader loads it: unchanged but for one round trip
    through pydantic-ai's own JSON.
    """
    conversation = said if isinstance(said, Conversation) else said.conversation
    id, whole = conversation.conversation_id, through_json(conversation)
    await store.save(said)
    for reading in (store, TurnlogConversationStore(store.log)):
        found = await reading.load(id)
        assert found is not None
        assert through_json(found) == found
        assert (found.messages, found.usage) == (whole.messages, whole.usage)
        assert found.deferred_tool_requests == whole.deferred_tool_requests
        assert as_json(found.messages) == as_json(whole.messages)
    messages = store.log.conversation(id).messages()
    assert alike([each for one in found.messages for each in read(document(one))], messages)
    return found


def through_json(conversation: Conversation) -> Conversation:
    adapter = ConversationTypeAdapter
    return adapter.validate_json(adapter.dump_json(conversation))


def as_json(messages: list[m.ModelMessage]) -> bytes:
    """Compares types, too: 1 is not 1.0."""
    return m.ModelMessagesTypeAdapter.dump_json(messages)


def parts(conversation: Conversation, kind: type[Any]) -> list[Any]:
    return [p for message in conversation.messages for p in message.parts if isinstance(p, kind)]


class Weather(BaseModel):
    city: str
    degrees: float


async def test_structured_output(store: TurnlogConversationStore) -> None:
    agent = Agent(TestModel(), output_type=Weather)
    found = await kept(store, await agent.run("rain?"))
    assert (await agent.run("and now?", conversation=found)).output
    [call] = parts(found, m.ToolCallPart)
    assert call.tool_name == "final_result"


async def test_a_tool_that_requests_a_retry_and_invalid_output(
    store: TurnlogConversationStore,
) -> None:
    said = iter([
        [m.ToolCallPart("look", {"city": 3}, "c1")],  # arguments that do not fit
        [m.ToolCallPart("look", '{"city": "Oslo"}', "c2")],  # refused by the tool
        [m.ToolCallPart("look", '{"city":"Rome"}', "c3"), m.ToolCallPart("none", {}, "c4")],
        [m.TextPart("no tool called")],
        [m.ToolCallPart("final_result", {"city": "Rome", "degrees": "warm"}, "c5")],
        [m.ToolCallPart("final_result", {"city": "Rome", "degrees": 20.0}, "c6")],
    ])  # fmt: skip
    agent = Agent(FunctionModel(lambda *_: m.ModelResponse(next(said))), output_type=Weather,
                  retries=5)  # fmt: skip

    @agent.tool_plain
    def look(city: str) -> dict[str, Any]:
        if city == "Oslo":
            raise ModelRetry("another city")
        return {"degrees": 20.0, "of": (1, 2), "raw": None}

    found = await kept(store, await agent.run("rain?"))
    retried = [each for each in parts(found, m.ToolReturnPart) if each.retry is not None]
    assert len(retried) + len(parts(found, m.RetryFeedbackPart)) == 5


async def test_deferred_calls_and_approvals(store: TurnlogConversationStore) -> None:
    def answered(messages: list[m.ModelMessage], _: AgentInfo) -> m.ModelResponse:
        if any(isinstance(part, m.ToolReturnPart) for part in messages[-1].parts):
            return m.ModelResponse([m.TextPart("done")])
        calls = [("pay", {"sum": 3}), ("pay", {"sum": 5}), ("wait", {}), ("look", {})]
        return m.ModelResponse([m.ToolCallPart(*c, f"c{n}") for n, c in enumerate(calls)])

    agent = Agent(FunctionModel(answered), output_type=[str, DeferredToolRequests])

    @agent.tool
    def pay(ctx: RunContext[None], sum: int) -> str:
        if not ctx.tool_call_approved:
            raise ApprovalRequired(metadata={"why": "money"})
        return f"paid {sum}"

    @agent.tool_plain
    def wait() -> str:
        raise CallDeferred(metadata={"job": 7})

    @agent.tool_plain
    def look() -> ToolReturn:
        return ToolReturn({"seen": 1}, content=["look here", m.ImageUrl("https://x.org/a.png")],
                          metadata={"took": 2})  # fmt: skip

    found = await kept(store, await agent.run("pay"))
    asked = found.deferred_tool_requests
    assert asked is not None
    assert [len(asked.approvals), len(asked.calls)] == [2, 1]
    results = DeferredToolResults(
        calls={"c2": {"waited": True}}, approvals={"c0": True, "c1": ToolDenied("too much")}
    )
    result = await agent.run(conversation=found, deferred_tool_results=results)
    assert result.output == "done"
    found = await kept(store, result)
    assert found.deferred_tool_requests is None
    assert {part.outcome for part in parts(found, m.ToolReturnPart)} == {"success", "denied"}


async def test_thinking_files_and_tools_of_the_provider(store: TurnlogConversationStore) -> None:
    image = BinaryContent(bytes([251, 255, 3]), media_type="image/png")
    response = m.ModelResponse(
        [
            m.ThinkingPart("hm", id="r1", signature="s+/=", provider_name="openai",
                           provider_details={"x": [1, None]}),
            m.ThinkingPart("", signature="redacted", provider_name="anthropic"),
            m.NativeToolCallPart("web_search", {"q": "rain"}, "w1", provider_name="openai"),
            m.NativeToolReturnPart("web_search", [{"url": "https://x.org"}], "w1"),
            m.FilePart(image, id="f1"),
            m.TextPart("hm", id="t1", provider_details={"n": 1}),
            m.CompactionPart("what came before", id="k1"),
        ],
        provider_name="openai", provider_details={"finish": "stop"}, provider_response_id="resp",
        finish_reason="length",
    )  # fmt: skip
    agent = Agent(FunctionModel(lambda *_: response), system_prompt="hm", instructions="hm")
    found = await kept(store, await agent.run("hm", metadata={"hm": "hm"}))
    result = await agent.run("hm", conversation=found)
    await kept(store, result)


@pytest.mark.parametrize("size", [3, 70_000, len(LARGE)])
async def test_bytes_of_any_size(store: TurnlogConversationStore, size: int) -> None:
    picture = BinaryContent(LARGE[:size], media_type="image/png", identifier="p")
    film = BinaryContent(LARGE[:size][::-1], media_type="video/mp4", vendor_metadata={"fps": 2.0})
    agent = Agent(TestModel(call_tools=["show"], custom_output_text="seen"))

    @agent.tool_plain
    def show() -> list[Any]:
        return [picture, "a" * size, {"in": LARGE[:size].hex()}]

    found = await kept(store, await agent.run([picture, "look", film, picture, m.CachePoint()]))
    [prompt, *_] = parts(found, m.UserPromptPart)
    assert [bytes(each.data) for each in prompt.content if isinstance(each, m.BinaryContent)] == [
        picture.data, film.data, picture.data,
    ]  # fmt: skip
    await kept(store, await agent.run("again", conversation=found))


async def test_streamed_runs(store: TurnlogConversationStore) -> None:
    async def streamed(messages: list[m.ModelMessage], _: AgentInfo) -> AsyncIterator[Any]:
        if isinstance(messages[-1].parts[0], m.ToolReturnPart):
            yield "it "
            yield "rains"
            return
        yield {0: DeltaThinkingPart(content="h", signature="s")}
        yield {0: DeltaThinkingPart(content="m")}
        yield {1: DeltaToolCall("look", '{"ci', tool_call_id="c1")}
        yield {1: DeltaToolCall(None, 'ty": "Oslo"}')}

    agent = Agent(FunctionModel(stream_function=streamed))

    @agent.tool_plain
    def look(city: str) -> str:
        return f"clouds over {city}"

    async with agent.run_stream("rain?") as result:
        assert [piece async for piece in result.stream_text(delta=True, debounce_by=None)] == [
            "it ",
            "rains",
        ]
    found = await kept(store, Conversation(messages=result.all_messages(), conversation_id="a"))
    assert parts(found, m.ToolCallPart)[0].args == '{"city": "Oslo"}'
    assert parts(found, m.ThinkingPart)[0].content == "hm"
    async with agent.run_stream("again", conversation=found) as result:
        async for _ in result.stream_text(delta=True, debounce_by=None):
            break
    found.messages = result.all_messages()
    assert parts(await kept(store, found), m.UserPromptPart)[-1].content == "again"


async def test_runs_that_are_cancelled_or_fail(store: TurnlogConversationStore) -> None:
    waits, continues = asyncio.Event(), asyncio.Event()

    def fails(messages: list[m.ModelMessage], _: AgentInfo) -> m.ModelResponse:
        if len(messages) > 2:
            raise UnexpectedModelBehavior("broke")
        return m.ModelResponse([m.TextPart("I look."), m.ToolCallPart("look", {}, "c1")])

    agent = Agent(FunctionModel(fails))

    @agent.tool_plain
    async def look() -> str:
        waits.set()
        await continues.wait()
        return "too late"

    conversation = Conversation(conversation_id="a")
    async with agent.iter("rain?", conversation=conversation) as run:
        task = asyncio.ensure_future(drained(run))
        await waits.wait()
        task.cancel()
        continues.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        broken = Conversation(conversation_id="a", messages=run.all_messages())
    found = await kept(store, broken)
    [*_, call] = found.messages[-1].parts
    assert isinstance(call, m.ToolCallPart)
    found.messages = m.repair_messages(found.messages)
    agent = Agent(TestModel(custom_output_text="It rains."))
    await kept(store, await agent.run("what now?", conversation=found))
    said = [message.text for message in store.log.conversation("a").messages()]
    assert [each for each in said if each] == ["rain?", "I look.", "what now?", "It rains."]


async def drained(run: Any) -> None:
    async for _ in run:
        pass

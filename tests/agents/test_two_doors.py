"""LangGraph, pydantic-ai and the OpenAI SDK in one conversation: each continues the others'
turns.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic_ai import Agent, BinaryContent
from pydantic_ai import messages as m
from pydantic_ai.conversation import Conversation
from pydantic_ai.models.function import AgentInfo, FunctionModel

import turnlog
import turnlog.openai
from tests.command_line import run
from tests.made_up_model import MadeUpModel, made_up_model
from tests.parts import turnlog as turnlog_part
from turnlog.agents.langgraph import TurnlogSaver
from turnlog.agents.langgraph.messages import said
from turnlog.agents.pydantic_ai import TurnlogConversationStore
from turnlog.agents.pydantic_ai.messages import read
from turnlog.agents.pydantic_ai.saving import document
from turnlog.audit.verify import verify
from turnlog.domain.message import Message
from turnlog.domain.message_equality import alike, identical
from turnlog.engine.log import Turnlog

ALICE: Any = {"configurable": {"thread_id": "alice"}}
PICTURE = bytes(range(256))


@pytest.fixture
def log(url: str) -> Iterator[Turnlog]:
    with turnlog.open(url) as opened:
        yield opened
        assert verify(opened.store).faults == []


@pytest.fixture
def model() -> Iterator[MadeUpModel]:
    with made_up_model() as running:
        yield running


# --- what each of them does ---------------------------------------------------------------------


def graph(log: Turnlog) -> Any:
    """Thinks, calls two tools concurrently, one of which fails, and answers."""
    builder = StateGraph(MessagesState)
    builder.add_node("model", _answered)
    builder.add_node("tools", _looked_up)
    builder.add_edge(START, "model")
    builder.add_conditional_edges(
        "model", lambda state: "tools" if state["messages"][-1].tool_calls else END
    )
    builder.add_edge("tools", "model")
    return builder.compile(checkpointer=TurnlogSaver(log))


def _answered(state: MessagesState) -> dict[str, Any]:
    count = len(state["messages"])
    if isinstance(state["messages"][-1], ToolMessage):
        return {"messages": [AIMessage("It rains.", response_metadata={"model_name": "lc"})]}
    thought = [{"type": "reasoning", "reasoning": "Look."}, {"type": "text", "text": "I look."}]
    calls = [
        {"name": "sky", "args": {"of": "Oslo", "n": count}, "id": f"sky-{count}"},
        {"name": "sea", "args": {}, "id": f"sea-{count}"},
    ]
    usage: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    return {"messages": [AIMessage(thought, tool_calls=calls, usage_metadata=usage)]}


def _looked_up(state: MessagesState) -> dict[str, Any]:
    last = state["messages"][-1]
    assert isinstance(last, AIMessage)
    sky, sea = last.tool_calls
    return {
        "messages": [
            ToolMessage("grey", tool_call_id=sky["id"], name="sky"),
            ToolMessage("no such sea", tool_call_id=sea["id"], name="sea", status="error"),
        ]
    }


async def by_langgraph(log: Turnlog) -> None:
    content: list[Any] = [
        {"type": "text", "text": "Is it dry?"},
        {"type": "image", "base64": "AAEC/w==", "mime_type": "image/png"},
    ]
    messages = [HumanMessage(content)]
    if not graph(log).get_state(ALICE).values:
        messages.insert(0, SystemMessage("Be brief."))
    graph(log).invoke({"messages": messages}, ALICE)


def thinks_and_calls(messages: list[m.ModelMessage], _: AgentInfo) -> m.ModelResponse:
    if any(isinstance(part, m.ToolReturnPart) for part in messages[-1].parts):
        return m.ModelResponse([m.TextPart("Wait.")], model_name="made-up-2")
    count = len(messages)
    return m.ModelResponse([
        m.ThinkingPart("Hm.", signature="sig"),
        m.TextPart("I ask."),
        m.ToolCallPart("tide", {"hours": count}, f"tide-{count}"),
        m.ToolCallPart("wind", "{}", f"wind-{count}"),
    ])  # fmt: skip


agent = Agent(FunctionModel(thinks_and_calls), instructions="Be kind.")


@agent.tool_plain
def tide(hours: int) -> dict[str, Any]:
    return {"low": hours, "of": ["sea", None, 1.5]}


@agent.tool_plain
def wind() -> str:
    return "west"


async def by_pydantic_ai(log: Turnlog) -> None:
    store = TurnlogConversationStore(log)
    conversation = await store.load("alice") or Conversation(conversation_id="alice")
    shown = ["And the tide?", BinaryContent(PICTURE, media_type="image/png")]
    result = await agent.run(shown, conversation=conversation)
    await store.save(result)
    loaded = await store.load("alice")
    assert loaded is not None
    assert loaded.messages == as_json_says(result.all_messages())


def as_json_says(messages: list[m.ModelMessage]) -> list[m.ModelMessage]:
    """Messages after one round trip through pydantic-ai, which changes pictures."""
    adapter = m.ModelMessagesTypeAdapter
    return adapter.validate_json(adapter.dump_json(messages))


async def by_openai(log: Turnlog, model: MadeUpModel) -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "tram", "arguments": '{"n":1 }'}}
    model.says.append({"content": "One moment.", "tool_calls": [call]})
    model.says.append({"content": "By tram."})
    sent: list[Any] = [{"role": "user", "content": "How do I get there?"}]
    if "alice" in log:
        before = log.conversation("alice").messages(for_model=True)
        sent = [*(message.as_openai() for message in before), *sent]
    with (
        openai.OpenAI(api_key="none", base_url=model.url) as plain,
        turnlog.openai.record(plain, log, "alice") as client,
    ):
        answer = client.chat.completions.create(model="made-up-1", messages=sent)
        sent += [
            answer.choices[0].message,
            {"role": "tool", "tool_call_id": "t1", "content": "No. 1"},
        ]
        client.chat.completions.create(model="made-up-1", messages=sent)


By = Callable[[Turnlog, MadeUpModel], Awaitable[None]]

DOORS: dict[str, By] = {
    "langgraph": lambda log, _: by_langgraph(log),
    "pydantic-ai": lambda log, _: by_pydantic_ai(log),
    "openai": by_openai,
}


# --- what each of them reads --------------------------------------------------------------------


async def check(log: Turnlog) -> list[Message]:
    """The messages of the log, which both doors read."""
    messages = list(log.conversation("alice").messages())
    loaded = await TurnlogConversationStore(log).load("alice")
    assert loaded is not None
    assert alike([each for one in loaded.messages for each in read(document(one))], messages)
    found = graph(log).get_state(ALICE).values["messages"]
    assert alike(map(said, found), messages)
    return messages


@pytest.mark.parametrize("second", DOORS)
@pytest.mark.parametrize("first", DOORS)
async def test_each_door_reads_and_continues_what_the_other_wrote(
    first: str, second: str, log: Turnlog, model: MadeUpModel
) -> None:
    written: list[Message] = []
    for door in (first, second, first, second):
        await DOORS[door](log, model)
        now = await check(log)
        assert alike(now[: len(written)], written)
        assert len(now) > len(written)
        written = now


# --- what shows it ------------------------------------------------------------------------------

WORDS = (
    "Is it dry?", "I look.", "no such sea", "It rains.", "And the tide?", "I ask.", "low", "west",
    "Wait.", "How do I get there?", "One moment.", "tram", "No. 1", "By tram.",
)  # fmt: skip


async def test_every_view_shows_what_all_three_wrote(tmp_path: Path, model: MadeUpModel) -> None:
    db = f"sqlite:///{tmp_path}/chat.db"
    with turnlog.open(db) as log:
        for door in DOORS.values():
            await door(log, model)
        messages = await check(log)
    lines = run("log", "alice", "--json", "--db", db).lines
    assert {line["type"] for line in lines} >= {"UserUttered", "ToolCalled", "ForeignRecorded"}
    chat = run("show", "alice", "--dialogue", "--db", db).out
    assert [word for word in WORDS if word not in chat] == []
    [line] = exported(db, "openai", tmp_path / "openai.jsonl")
    assert [word for word in WORDS if word not in line] == []
    exported(db, "jsonl", tmp_path / "events.jsonl")
    copied = f"sqlite:///{tmp_path}/copy.db"
    assert run("import", tmp_path / "events.jsonl", "--db", copied).status == 0
    assert run("verify", "--db", copied).status == 0
    with turnlog.open(copied) as log:
        assert identical(await check(log), messages)
        for door in DOORS.values():
            await door(log, model)
        assert alike((await check(log))[: len(messages)], messages)


def exported(db: str, format: str, out: Path) -> list[str]:
    assert run("export", "--format", format, "--out", out, "--db", db).status == 0
    return out.read_text().splitlines()


async def test_the_inspector_shows_what_all_three_wrote(tmp_path: Path, model: MadeUpModel) -> None:
    db = f"sqlite:///{tmp_path}/chat.db"
    with turnlog.open(db) as log:
        for door in DOORS.values():
            await door(log, model)
    with turnlog_part.running(db=db) as server:
        shown = httpx.get(f"{server.url}/inspect/api/timeline", params={"conversation": "alice"})
        listed = httpx.get(f"{server.url}/inspect/api/conversations")
    assert [word for word in WORDS if word not in shown.text] == []
    assert "alice" in listed.text


# --- what is redacted ---------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["human", "ai", "text", "messages", "id", "said", "lists", "$"])
async def test_a_redacted_message_may_say_any_word_of_the_formats(
    word: str, model: MadeUpModel
) -> None:
    with turnlog.open("memory:") as log:
        entity = turnlog.Entity("it", word, 0, len(word))
        said = turnlog.UserUttered(word), turnlog.MessageUnderstood(entities=(entity,))
        log.record("alice", *said)
        for door in DOORS.values():
            await door(log, model)
        before = graph(log).get_state(ALICE).values["messages"]
        log.record("alice", turnlog.MessageRedacted(1))
        after = graph(log).get_state(ALICE).values["messages"]
        assert [each.type for each in after[-8:]] == [each.type for each in before[-8:]]
        for door in DOORS.values():
            await door(log, model)
        assert len(await check(log)) > len(after)

"""One framework reads and continues what another wrote: messages of any parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from msgspec.structs import replace
from pydantic_ai import messages as m

import turnlog
from tests.property.message_shapes import FRAMEWORKS
from turnlog.agents.langgraph import TurnlogSaver
from turnlog.agents.langgraph.messages import said
from turnlog.agents.pydantic_ai import TurnlogConversationStore
from turnlog.agents.pydantic_ai.messages import read
from turnlog.agents.pydantic_ai.saving import document
from turnlog.domain.message import Message
from turnlog.domain.message_equality import alike
from turnlog.domain.message_parts import Media, Opaque, ToolCall
from turnlog.domain.message_recording import recorded_as
from turnlog.engine.log import Turnlog

THREAD: Any = {"configurable": {"thread_id": "a"}}


async def loaded(log: Turnlog) -> list[m.ModelMessage]:
    """As a reader without the conversation in memory sees it."""
    found = await TurnlogConversationStore(log).load("a")
    return found.messages if found else []


def read_back(messages: Iterable[m.ModelMessage]) -> list[Message]:
    return [each for message in messages for each in read(document(message))]


def understood(messages: Iterable[Message]) -> Iterator[Message]:
    """Without the parts that pydantic-ai lacks, and the type that it guesses from an address."""
    for message in messages:
        parts = (part for part in message.parts if not isinstance(part, Opaque))
        yield replace(message, parts=tuple(_guessed(p) for p in parts if _has_place(p)))


def _has_place(part: Any) -> bool:
    return not isinstance(part, Media) or part.content is not None or part.uri is not None


def _guessed(part: Any) -> Any:
    return replace(part, mime=None) if isinstance(part, Media) and part.uri is not None else part


@pytest.mark.parametrize("shape", FRAMEWORKS.values(), ids=FRAMEWORKS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
async def test_pydantic_ai_reads_recorded_messages_and_continues(
    shape: st.SearchStrategy[list[Message]], data: st.DataObject
) -> None:
    messages = data.draw(shape)
    with turnlog.open("memory:") as log:
        log.record("a", turnlog.UserUttered("hello"), *recorded_as(messages, 2))
        recorded = [*log.conversation("a").messages()]
        found = await loaded(log)
        assert alike(understood(read_back(found)), understood(recorded))
        store = TurnlogConversationStore(log)
        conversation = await store.load("a")
        assert conversation is not None
        conversation.messages.append(m.ModelResponse([m.TextPart("well")]))
        await store.save(conversation)
        assert await loaded(log) == conversation.messages
        assert [*log.conversation("a").messages()][: len(recorded)] == recorded


@pytest.mark.parametrize("shape", FRAMEWORKS.values(), ids=FRAMEWORKS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
async def test_a_graph_continues_what_pydantic_ai_wrote(
    shape: st.SearchStrategy[list[Message]], data: st.DataObject
) -> None:
    messages = data.draw(shape.filter(lambda drawn: not any(map(_is_mixed, drawn))))
    with turnlog.open("memory:") as log:
        store = TurnlogConversationStore(log)
        log.record("a", turnlog.UserUttered("hello"), *recorded_as(messages, 2))
        conversation = await store.load("a")
        assert conversation is not None
        log.delete("a")
        conversation.revision = conversation.new_message_index = None
        await store.save(conversation)  # the same, as pydantic-ai would have written it
        written = [*log.conversation("a").messages()]
        assert alike(written, read_back(conversation.messages))
        chat = graph(log)
        assert alike(map(said, chat.get_state(THREAD).values["messages"]), written)
        chat.invoke({"messages": [("user", "go on")]}, THREAD)
        assert alike([*log.conversation("a").messages()][: len(written)], written)
        assert alike(read_back(await loaded(log)), log.conversation("a").messages())


def _is_mixed(message: Message) -> bool:
    """Whether some calls have arguments that are not JSON, which LangChain sorts."""
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    return len({isinstance(call.arguments, str) for call in calls}) > 1


def graph(log: Turnlog) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("answer", lambda state: {"messages": [AIMessage("well")]})
    builder.add_edge(START, "answer")
    return builder.compile(checkpointer=TurnlogSaver(log))

"""A pruned thread in a graph whose channels consist of their writes."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.channels import DeltaChannel
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages

from turnlog.agents.langgraph import TurnlogSaver

ALICE: Any = {"configurable": {"thread_id": "alice"}}


def joined(held: list[Any], writes: Any) -> list[Any]:
    return [*held, *(item for write in writes for item in write)]


def with_messages(held: Any, writes: Any) -> Any:
    for write in writes:
        held = add_messages(held, write)
    return held


class Notes(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    notes: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=4)]
    count: Annotated[int, operator.add]


class Messages(TypedDict):
    messages: Annotated[list[AnyMessage], DeltaChannel(with_messages, snapshot_frequency=1000)]
    count: Annotated[int, operator.add]


def graph(saver: TurnlogSaver, state: type) -> Any:
    def answer(held: Any) -> dict[str, Any]:
        number = held["count"]
        noted = {"notes": [f"note {number}"]} if state is Notes else {}
        return {"messages": [AIMessage(f"a{number}", id=f"a{number}")], "count": 1, **noted}

    builder: Any = StateGraph(state)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    return builder.compile(checkpointer=saver)


def say(chat: Any, number: int) -> Any:
    human = HumanMessage(f"q{number}", id=f"q{number}")
    return chat.invoke({"messages": [human], "count": 0}, ALICE)


@pytest.mark.parametrize("state", [Notes, Messages])
@pytest.mark.parametrize("turns", [1, 3, 9])
def test_a_pruned_thread_continues_with_all_its_values(durable_url: str, state: type, turns: int):
    with TurnlogSaver(durable_url) as saver:
        chat = graph(saver, state)
        for number in range(turns):
            before = say(chat, number)
        saver.prune(["alice"])
        assert len(list(saver.list(ALICE))) == 1
        assert chat.get_state(ALICE).values == before
    with TurnlogSaver(durable_url) as saver:
        chat = graph(saver, state)
        assert chat.get_state(ALICE).values == before
        after = say(chat, turns)
        said = [f"{side}{number}" for number in range(turns + 1) for side in "qa"]
        assert [message.text for message in after["messages"]] == said
        assert after.get("notes", []) == [
            f"note {number}" for number in range(turns + 1) if state is Notes
        ]
        saver.prune(["alice"])
        saver.copy_thread("alice", "bob")
    with TurnlogSaver(durable_url) as saver:
        copied = graph(saver, state).get_state({"configurable": {"thread_id": "bob"}})
        assert copied.values == after

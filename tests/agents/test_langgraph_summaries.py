"""Summaries that replace messages in a LangGraph thread."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES

import turnlog
from turnlog.agents.langgraph import TurnlogSaver
from turnlog.domain.events import HistoryCompacted, MessageRedacted

ALICE: Any = {"configurable": {"thread_id": "alice"}}


class State(MessagesState):
    summary: str


@pytest.fixture
def chat(saver: TurnlogSaver) -> Any:
    """A graph that answers, with a thread of two questions and answers."""
    builder = StateGraph(State)
    builder.add_node("answer", lambda state: {"messages": [AIMessage(f"re {last(state)}")]})
    builder.add_edge(START, "answer")
    made = builder.compile(checkpointer=saver)
    for text in ("one", "two"):
        say(made, text)
    return made


def last(state: Any) -> str:
    return str(state["messages"][-1].content)


def say(chat: Any, text: str) -> None:
    chat.invoke({"messages": [HumanMessage(text)]}, ALICE)


def update(chat: Any, **values: Any) -> None:
    chat.update_state(ALICE, values, "answer")


def sum_up(chat: Any, summary: str, kept: int) -> None:
    """Like LangChain's middleware."""
    staying = chat.get_state(ALICE).values["messages"][-kept:]
    message = HumanMessage(summary)
    update(chat, messages=[RemoveMessage(REMOVE_ALL_MESSAGES), message, *staying])


def in_state(chat: Any) -> list[str]:
    return [message.text for message in chat.get_state(ALICE).values["messages"]]


def in_log(saver: TurnlogSaver, *, for_model: bool = False) -> list[str]:
    conversation = saver.log.conversation("alice")
    return [message.text for message in conversation.messages(for_model=for_model)]


def compactions(saver: TurnlogSaver) -> list[HistoryCompacted]:
    events = saver.log.read_events("alice")
    return [event for event in events if isinstance(event, HistoryCompacted)]


def test_a_message_that_summarizes_earlier_ones_is_a_compaction(saver: TurnlogSaver, chat: Any):
    before = saver.log.conversation("alice").state.event
    sum_up(chat, "they counted", 2)
    assert in_state(chat) == ["they counted", "two", "re two"]
    assert in_log(saver) == ["one", "re one", "two", "re two"]
    assert in_log(saver, for_model=True) == ["they counted", "two", "re two"]
    recorded = [type(event).__name__ for event in saver.log.read_events("alice", before)]
    assert recorded == ["ForeignRecorded", "HistoryCompacted", "ForeignRecorded"]
    say(chat, "three")
    assert in_state(chat) == ["they counted", "two", "re two", "three", "re three"]
    assert in_log(saver, for_model=True) == in_state(chat)


def test_a_summary_summarizes_an_earlier_one(saver: TurnlogSaver, chat: Any):
    sum_up(chat, "first", 2)
    sum_up(chat, "second", 1)
    assert in_state(chat) == ["second", "re two"] == in_log(saver, for_model=True)
    say(chat, "three")
    sum_up(chat, "third", 1)
    assert in_state(chat) == ["third", "re three"] == in_log(saver, for_model=True)
    assert in_log(saver) == ["one", "re one", "two", "re two", "three", "re three"]
    assert [each.first for each in compactions(saver)] == [compactions(saver)[0].first] * 3


def test_a_text_in_another_channel_summarizes_messages(saver: TurnlogSaver, chat: Any):
    """Like LangGraph's own guide."""
    gone = chat.get_state(ALICE).values["messages"][:-1]
    update(chat, summary="they counted", messages=[RemoveMessage(m.id) for m in gone])
    assert chat.get_state(ALICE).values["summary"] == "they counted"
    assert in_state(chat) == ["re two"]
    assert in_log(saver) == ["one", "re one", "two", "re two"]
    assert in_log(saver, for_model=True) == ["they counted", "re two"]
    [compaction] = compactions(saver)
    assert sum(b"they counted" in bytes(event.body) for event in foreign(saver)) == 0
    assert compaction.text == "they counted"


def foreign(saver: TurnlogSaver) -> list[Any]:
    events = saver.log.read_events("alice")
    return [event for event in events if getattr(event, "kind", None) == "checkpoint"]


def test_messages_removed_without_a_summary_are_not_a_compaction(saver: TurnlogSaver, chat: Any):
    first, *_ = chat.get_state(ALICE).values["messages"]
    update(chat, messages=[RemoveMessage(first.id)])
    assert compactions(saver) == []
    assert in_log(saver, for_model=True) == ["one", "re one", "two", "re two"]


def test_time_travel_leads_to_before_a_summary(saver: TurnlogSaver, chat: Any):
    earlier = chat.get_state(ALICE).config
    sum_up(chat, "they counted", 2)
    chat.invoke({"messages": [HumanMessage("other")]}, earlier)
    expected = ["one", "re one", "two", "re two", "other", "re other"]
    assert in_state(chat) == expected == in_log(saver) == in_log(saver, for_model=True)


def test_a_message_removed_after_a_summary(saver: TurnlogSaver, chat: Any):
    sum_up(chat, "they counted", 2)
    say(chat, "three")
    update(chat, messages=[RemoveMessage(chat.get_state(ALICE).values["messages"][-1].id)])
    assert in_state(chat) == ["they counted", "two", "re two", "three"]
    assert in_log(saver, for_model=True) == in_state(chat)
    for _ in range(2):  # the second one was said before the summary
        update(chat, messages=[RemoveMessage(chat.get_state(ALICE).values["messages"][-1].id)])
    assert in_state(chat) == ["they counted", "two"]
    with TurnlogSaver(saver.log) as again:
        found = again.get_tuple(ALICE)
    assert found is not None
    texts = [message.text for message in found.checkpoint["channel_values"]["messages"]]
    assert texts == ["they counted", "two"]
    assert in_log(saver)[-2:] == ["they counted", "two"]


def test_a_summary_is_blank_if_it_repeats_redacted_words(saver: TurnlogSaver, chat: Any):
    say(chat, "my pin is 4711")
    sum_up(chat, "the user said: my pin is 4711", 1)
    number = next(m.event for m in saver.log.conversation("alice").messages() if "pin" in m.text)
    saver.log.record("alice", MessageRedacted(number))
    assert "4711" not in "".join(in_state(chat))
    assert "4711" not in "".join(in_log(saver, for_model=True))


def test_compactions_of_others_do_not_change_the_state(saver: TurnlogSaver, chat: Any):
    before = len(list(saver.list(ALICE)))
    saver.log.record("alice", HistoryCompacted(1, 4, "one"), turnlog.SlotSet("a", 1))
    assert in_state(chat) == ["one", "re one", "two", "re two"]
    assert len(list(saver.list(ALICE))) == before

"""A thread of LangGraph and its conversation."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

import turnlog
from turnlog.agents.checkpoints import ThreadsProjection, of_run, threads
from turnlog.agents.langgraph import TurnlogSaver
from turnlog.agents.langgraph.messages import langchain, said
from turnlog.domain import events as e
from turnlog.domain.message import Message
from turnlog.domain.message_equality import alike
from turnlog.domain.message_parts import Media, Reasoning, Refusal, Text, ToolCall, ToolResult
from turnlog.domain.message_recording import recorded_as
from turnlog.errors import FormatError, InvalidEvent, OutOfRange, StaleParent
from turnlog.projections.projection import rebuild

ALICE: Any = {"configurable": {"thread_id": "alice"}}
BOB: Any = {"configurable": {"thread_id": "bob"}}
ROOT: Any = {"configurable": {"thread_id": "alice", "checkpoint_ns": ""}}


def echo(state: MessagesState) -> dict[str, Any]:
    return {"messages": [AIMessage(f"you said {state['messages'][-1].content}")]}


def graph(saver: TurnlogSaver, node: Any = echo) -> Any:
    builder = StateGraph(MessagesState)
    builder.add_node("echo", node)
    builder.add_edge(START, "echo")
    return builder.compile(checkpointer=saver)


def say(chat: Any, text: str, config: Any = ALICE) -> list[BaseMessage]:
    return chat.invoke({"messages": [("user", text)]}, config)["messages"]


def texts(messages: Any) -> list[str]:
    return [message.text for message in messages]


def in_log(saver: TurnlogSaver) -> list[str]:
    return texts(saver.log.conversation("alice").messages())


def put(saver: TurnlogSaver, config: Any, *, id: str | None = None, **values: Any) -> Any:
    checkpoint = empty_checkpoint()
    checkpoint["id"] = id or checkpoint["id"]
    checkpoint["channel_values"] = values
    checkpoint["channel_versions"] = dict.fromkeys(values, 1)
    return saver.put(config, checkpoint, {"source": "loop", "step": 0}, dict.fromkeys(values, 1))


# --- what LangGraph wrote -----------------------------------------------------------------------


def test_the_messages_of_a_thread_are_those_of_its_conversation(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "hello")
    say(chat, "bye")
    assert in_log(saver) == ["hello", "you said hello", "bye", "you said bye"]
    conversation = saver.log.conversation("alice")
    assert conversation.turn == 2
    state = chat.get_state(ALICE).values["messages"]
    assert alike(conversation.messages(), map(said, state))
    assert [m.id for m in conversation.messages()] == [m.id for m in state]


def test_each_word_of_a_message_is_in_one_event_and_its_pending_writes(saver: TurnlogSaver):
    say(graph(saver), "an unusual sentence")
    checkpoints = [
        event.body
        for event in saver.log.read_events("alice")
        if isinstance(event, e.ForeignRecorded) and event.kind == "checkpoint"
    ]
    assert b"unusual" in checkpoints[0]  # the input, before there is a message
    assert not any(b"unusual" in body for body in checkpoints[1:])


def test_a_message_round_trips_unchanged(saver: TurnlogSaver):
    given = [
        SystemMessage("be brief", id="s", name="rules"),
        HumanMessage([{"type": "text", "text": "see"}, {"type": "image", "url": "http://x/y.png"}],
                     id="h", additional_kwargs={"n": 1.5}),
        AIMessage([{"type": "thinking", "thinking": "hm", "signature": "abc"},
                   {"type": "text", "text": "look"},
                   {"type": "tool_use", "id": "c1", "name": "find", "input": {"a": [1, None]}}],
                  id="a", tool_calls=[{"name": "find", "args": {"a": [1, None]}, "id": "c1"}],
                  invalid_tool_calls=[{"name": "bad", "args": "{", "id": "c2", "error": "why"}],
                  usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3,
                                  "input_token_details": {"cache_read": 1}},
                  response_metadata={"model_name": "m", "finish_reason": "tool_calls", "x": {}}),
        ToolMessage("found", tool_call_id="c1", id="t", name="find", artifact={"raw": (1, 2)}),
        ToolMessage(["a", {"type": "text", "text": "b"}], tool_call_id="c2", id="u",
                    status="error"),
    ]  # fmt: skip
    chat = graph(saver, lambda state: {})
    chat.update_state(ALICE, {"messages": given}, "echo")
    found = chat.get_state(ALICE).values["messages"]
    assert [m.model_dump() for m in found[:3]] == [m.model_dump() for m in given[:3]]
    assert found[3].artifact == {"raw": [1, 2]}  # as LangGraph's own serializer has it
    assert found[4].model_dump() == given[4].model_dump()
    assert alike(saver.log.conversation("alice").messages(), map(said, given))


def test_messages_that_were_changed_in_place_are_recorded(saver: TurnlogSaver):
    message = HumanMessage("before", id="1")
    config = put(saver, ROOT, messages=[message])
    message.content = "after"
    put(saver, config, messages=[message])
    assert in_log(saver) == ["after"]
    [first] = saver.get_tuple(config).checkpoint["channel_values"]["messages"]  # type: ignore[union-attr]
    assert first.content == "before"


def test_a_reader_gets_copies(saver: TurnlogSaver):
    put(saver, ROOT, messages=[AIMessage("a", additional_kwargs={"k": ["v"]}, id="1")])
    for _ in range(2):
        found = saver.get_tuple(ROOT)
        assert found is not None
        [message] = found.checkpoint["channel_values"]["messages"]
        assert message.additional_kwargs == {"k": ["v"]}
        message.additional_kwargs["k"].append("mine")
        message.content = "mine"


def test_an_artifact_is_copied_and_compared_by_type(saver: TurnlogSaver):
    def returned(artifact: Any) -> list[ToolMessage]:
        return [ToolMessage("found", tool_call_id="c", id="1", artifact=artifact)]

    def held() -> Any:
        found = saver.get_tuple(ROOT)
        assert found is not None
        return found.checkpoint["channel_values"]["messages"][0].artifact

    config = put(saver, ROOT, messages=returned({1, 2}))
    held().add(3)
    assert held() == {1, 2}
    config = put(saver, config, messages=returned(1))
    put(saver, config, messages=returned(True))
    assert held() is True


def test_true_is_not_one(saver: TurnlogSaver):
    def calling(held: Any) -> AIMessage:
        return AIMessage("", id="1", tool_calls=[{"name": "f", "args": {"a": held}, "id": "c"}])

    config = put(saver, ROOT, messages=[calling(1)])
    put(saver, config, messages=[calling(True)])
    found = saver.get_tuple(ROOT)
    assert found is not None
    assert found.checkpoint["channel_values"]["messages"][0].tool_calls[0]["args"]["a"] is True


def test_messages_removed_from_the_end_are_retracted(saver: TurnlogSaver):
    chat = graph(saver)
    messages = say(chat, "hello")
    chat.update_state(ALICE, {"messages": [RemoveMessage(messages[-1].id)]}, "echo")
    assert in_log(saver) == ["hello"]


def test_messages_trimmed_from_the_beginning_still_count(saver: TurnlogSaver):
    chat = graph(saver)
    messages = say(chat, "hello")
    chat.update_state(ALICE, {"messages": [RemoveMessage(messages[0].id)]}, "echo")
    assert in_log(saver) == ["hello", "you said hello"]
    assert texts(chat.get_state(ALICE).values["messages"]) == ["you said hello"]


def test_a_fork_leaves_a_branch_that_stays_readable(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "hello")
    before = chat.get_state(ALICE).config
    say(chat, "one way")
    say(chat, "the other way", before)
    assert in_log(saver) == ["hello", "you said hello", "the other way", "you said the other way"]
    taken = [r for r in saver.log.conversation("alice").recorded() if r.taken_back is not None]
    assert "one way" in [getattr(r.event, "text", None) for r in taken]
    [continued] = [x for x in saver.log.read_events("alice") if isinstance(x, e.HistoryContinued)]
    assert continued.branch is None


# --- what others wrote --------------------------------------------------------------------------


def test_a_conversation_that_others_began_continues(saver: TurnlogSaver):
    saver.log.record("alice", e.UserUttered("hello"), e.BotUttered("good day"))
    chat = graph(saver)
    assert texts(chat.get_state(ALICE).values["messages"]) == ["hello", "good day"]
    say(chat, "bye")
    assert in_log(saver) == ["hello", "good day", "bye", "you said bye"]
    assert texts(chat.get_state(ALICE).values["messages"]) == in_log(saver)


@pytest.mark.parametrize("kind", ["checkpoint", "writes", "hidden"])
@pytest.mark.parametrize("body", [b"\xff", b"[]", b'{"keys": 1, "id": 1}'])
def test_invalid_events_under_its_name_are_skipped(kind: str, body: bytes):
    with TurnlogSaver("memory:") as saver:
        chat = graph(saver)
        before = say(chat, "one")
        saver.log.record("alice", e.ForeignRecorded("langgraph", kind, body))
        assert texts(say(chat, "two"))[: len(before)] == texts(before)


def test_what_others_said_since_is_offered_once(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "hello")
    mine = chat.get_state(ALICE)
    saver.log.record("alice", e.AgentUttered("a person here", actor="bob"))
    offered = chat.get_state(ALICE)
    assert texts(offered.values["messages"])[-1] == "a person here"
    assert offered.metadata["source"] == "update"
    assert offered.parent_config == mine.config
    assert (
        offered.config["configurable"]["checkpoint_id"]
        > mine.config["configurable"]["checkpoint_id"]
    )
    assert chat.get_state(offered.config).values == offered.values
    assert [each.config for each in chat.get_state_history(ALICE)][:2] == [
        offered.config,
        mine.config,
    ]
    say(chat, "thanks")
    assert texts(chat.get_state(ALICE).values["messages"]) == in_log(saver)
    history = [each.config for each in chat.get_state_history(ALICE)]
    assert offered.config in history


def test_ids_of_offered_messages_derive_from_conversation_and_event(saver: TurnlogSaver):
    saver.log.record("alice", e.UserUttered("hello"), e.UserUttered("named", message_id="m7"))
    found = graph(saver).get_state(ALICE)
    assert [m.id for m in found.values["messages"]] == ["alice:1", "m7"]
    assert graph(saver).get_state(ALICE).config == found.config


def test_an_edit_and_a_rewind_by_others_are_offered(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "hello")
    say(chat, "bye")
    numbers = [m.event for m in saver.log.conversation("alice").messages()]
    saver.log.record("alice", e.MessageEdited(numbers[0], "good day"))
    assert texts(chat.get_state(ALICE).values["messages"])[0] == "good day"
    saver.log.record("alice", e.HistoryContinued(numbers[2] - 1))
    assert texts(chat.get_state(ALICE).values["messages"]) == ["good day", "you said hello"]
    say(chat, "again")
    assert texts(chat.get_state(ALICE).values["messages"]) == in_log(saver)


EVERYTHING = [
    Message("developer", (Text("be brief"),)),
    Message("user", (Text("look"), Media("image", "image/png", content=b"png"))),
    Message(
        "assistant", (Reasoning("hm", "sig"), Text("I call"), ToolCall("c1", "find", {"a": 1}))
    ),
    Message("tool", (ToolResult("c1", "find", {"found": [1, 2.5]}),)),
    Message("assistant", (ToolCall("c2", "find", "{", "{"), Text("after the call"))),
    Message("tool", (ToolResult("c2", "find", "no JSON", True),)),
    Message("assistant", (Refusal("I won't"),), finish="stop", model="m"),
    Message("user", (Text("why?"),), name="Alice"),
]


def test_messages_of_other_doors_are_the_same_in_langgraph(saver: TurnlogSaver):
    saver.log.record("alice", *recorded_as(EVERYTHING))
    chat = graph(saver, lambda state: {"messages": [AIMessage("well", id="w")]})
    found = chat.get_state(ALICE).values["messages"]
    shown = [
        Message(m.role, tuple(
            ToolResult(p.call_id, p.name, p.content if isinstance(p.content, str)
                       else '{"found":[1,2.5]}', p.is_error)
            if isinstance(p, ToolResult) else p for p in m.parts))
        for m in EVERYTHING
    ]  # fmt: skip
    assert alike(map(said, found), shown)  # a tool's result is a text there
    say(chat, "go on")
    log = saver.log.conversation("alice")
    assert alike(
        log.messages(), [*EVERYTHING, *map(said, chat.get_state(ALICE).values["messages"][-2:])]
    )


@pytest.mark.parametrize("message", [m for m in EVERYTHING if m.role != "tool"])
def test_a_message_of_the_log_is_the_same_as_langchains(message: Message):
    assert alike(map(said, langchain(message)), [message])


# --- redaction and deletion ---------------------------------------------------------------------


def test_a_redacted_message_is_blank_in_every_checkpoint(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "my card is 4000 1234")
    say(chat, "bye")
    number = next(saver.log.conversation("alice").messages()).event
    saver.log.record("alice", e.MessageRedacted(number))
    every = list(saver.list(ALICE))
    assert len(every) == 6
    assert "4000" not in repr(every)
    messages = chat.get_state(ALICE).values["messages"]
    assert (messages[0].content, messages[2].content) == ("", "bye")
    say(chat, "still here")
    assert "4000" not in repr(list(saver.list(ALICE)))
    assert len(chat.get_state(ALICE).values["messages"]) == 6


def test_a_running_graph_does_not_record_again_what_was_redacted(saver: TurnlogSaver):
    calls = [{"name": "pay", "args": {"card": "4000 1234"}, "id": "c"}]
    messages: list[Any] = [
        SystemMessage("be brief", id="0"), HumanMessage("my card is 4000 1234", id="1"),
        AIMessage("noted 4000 1234", id="2", tool_calls=calls, response_metadata={"n": 1}),
        ToolMessage("paid with 4000 1234", tool_call_id="c", id="3", artifact={"card": 1}),
    ]  # fmt: skip
    config = put(saver, ROOT, messages=messages)
    for number in [m.event for m in saver.log.conversation("alice").messages()][1:]:
        saver.log.record("alice", e.MessageRedacted(number))
    before = saver.log.conversation("alice").state.event
    later = [*messages, HumanMessage("bye", id="4")]
    config = put(saver, config, messages=later)
    put(saver, config, messages=[messages[0], *later[2:]])
    recorded = [type(event).__name__ for event in saver.log.read_events("alice", before)]
    assert recorded == ["UserUttered", "ForeignRecorded", "ForeignRecorded"]
    with TurnlogSaver(saver.log) as again:
        assert "4000" not in repr(list(again.list(ROOT)))
        found = again.get_tuple(ROOT)
    assert found is not None
    ids = [message.id for message in found.checkpoint["channel_values"]["messages"]]
    assert ids == ["0", "2", "3", "4"]


def test_a_thread_is_read_again_at_a_redaction_and_not_after_it(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "my card is 4000 1234")
    number = next(saver.log.conversation("alice").messages()).event
    saver.log.record("alice", e.MessageRedacted(number))
    say(chat, "my card is 4000 1234, once more")
    kept = saver._threads._threads["alice"].checkpoints
    say(chat, "still here")
    assert saver._threads._threads["alice"].checkpoints is kept
    with TurnlogSaver(saver.log) as again:
        assert list(saver.list(ALICE)) == list(again.list(ALICE))
    saver.log.record("alice", e.MessageRedacted(number + 6))
    with TurnlogSaver(saver.log) as again:
        assert list(saver.list(ALICE)) == list(again.list(ALICE))
    assert saver._threads._threads["alice"].checkpoints is not kept


def test_a_saver_that_is_open_forgets_what_was_erased(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "my card is 4000 1234")
    saver.copy_thread("alice", "bob")
    assert say(chat, "hello", BOB)
    number = next(saver.log.conversation("alice").messages()).event
    saver.log.erase("alice", event=number, reason="a claim", actor="officer")
    for thread in (ALICE, BOB):
        assert "my card is 4000 1234" not in texts(chat.get_state(thread).values["messages"])
        with TurnlogSaver(saver.log) as again:
            assert list(saver.list(thread)) == list(again.list(thread))


@pytest.mark.parametrize("redacted", [False, True])
def test_an_erased_checkpoint_removes_no_other_message(saver: TurnlogSaver, redacted: bool):
    chat = graph(saver)
    for text in ("one", "my card is 4000 1234", "three"):
        say(chat, text)
    number = numbers_of(saver)["my card is 4000 1234"]
    if redacted:
        saver.log.record("alice", e.MessageRedacted(number))
    saver.copy_thread("alice", "bob")
    saver.log.erase("alice", event=number, reason="a claim", actor="officer")
    for thread in (ALICE, BOB):
        found = texts(chat.get_state(thread).values["messages"])
        assert found[:3] == ["one", "you said one", ""]
        assert found[4:] == ["three", "you said three"]
        assert texts(say(chat, "four", thread))[:7] == [*found, "four"]


def test_an_erased_checkpoint_of_a_branch_is_replaced_by_that_before_the_branch(
    saver: TurnlogSaver,
):
    chat = graph(saver)
    say(chat, "zero")
    begin = chat.get_state(ALICE).config
    say(chat, "one")
    branch = chat.get_state(ALICE).config
    say(chat, "two", begin)
    say(chat, "my card is 4000 1234", branch)
    say(chat, "three")
    number = numbers_of(saver)["my card is 4000 1234"]
    saver.log.erase("alice", event=number, reason="a claim", actor="officer")
    found = texts(chat.get_state(ALICE).values["messages"])
    assert found[:5] == ["zero", "you said zero", "one", "you said one", ""]
    assert found[6:] == ["three", "you said three"]


def numbers_of(saver: TurnlogSaver) -> dict[str, int]:
    """The event of each of Alice's texts."""
    return {m.text: m.event or 0 for m in saver.log.conversation("alice").messages()}


def test_a_fork_at_a_turn_contains_nothing_of_the_next_message(saver: TurnlogSaver):
    chat = graph(saver)
    for text in ("one", "my card is 4000 1234", "three"):
        say(chat, text)
    saver.log.fork("alice", turn=1, as_="bob")
    state = chat.get_state(BOB)
    assert texts(state.values["messages"]) == ["one", "you said one"]
    assert state.next == ()
    held = [bytes(event.body) for event in saver.log.read_events("bob") if is_foreign(event)]
    assert not any(b"4000 1234" in body for body in held)
    saver.log.record("alice", e.MessageRedacted(numbers_of(saver)["my card is 4000 1234"]))
    assert texts(chat.get_state(BOB).values["messages"]) == ["one", "you said one"]
    with pytest.raises(OutOfRange):
        saver.log.fork("alice", turn=0, as_="carl")
    assert texts(say(chat, "two", BOB)) == ["one", "you said one", "two", "you said two"]


def test_a_redaction_reaches_a_copy_that_was_made_before_the_message_was_recorded(
    saver: TurnlogSaver,
):
    chat = graph(saver)
    for text in ("one", "my card is 4000 1234"):
        say(chat, text)
    number = numbers_of(saver)["my card is 4000 1234"]
    saver.log.fork("alice", event=number - 1, as_="bob")
    saver.log.fork("bob", as_="carl")
    saver.log.record("alice", e.MessageRedacted(number))
    saver.log.fork("alice", event=number - 1, as_="dora")
    for name in ("bob", "carl", "dora"):
        assert "4000 1234" not in str([*map(body_of, saver.log.read_events(name))])
        thread: Any = {"configurable": {"thread_id": name}}
        assert texts(chat.get_state(thread).values["messages"]) == ["one", "you said one"]
        assert texts(say(chat, "two", thread))[2:] == ["two", "you said two"]


def body_of(event: e.Event) -> bytes:
    return bytes(event.body) if isinstance(event, e.ForeignRecorded) else b""


def is_foreign(event: e.Event) -> bool:
    return isinstance(event, e.ForeignRecorded)


def test_a_deleted_thread_begins_again_under_its_id(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "hello")
    old = chat.get_state(ALICE).config
    saver.delete_thread("alice")
    assert saver.get_tuple(ALICE) is None
    assert say(chat, "who am I?")[0].content == "who am I?"
    assert in_log(saver) == ["who am I?", "you said who am I?"]
    assert saver.get_tuple(old) is None
    saver.delete_thread("unknown")


def test_a_running_graph_does_not_undo_a_deletion(saver: TurnlogSaver):
    def deleting(state: MessagesState) -> dict[str, Any]:
        saver.delete_thread("alice")
        return echo(state)

    asked = {"messages": [("user", "hello")]}
    with pytest.raises(InvalidEvent, match="was deleted"):
        graph(saver, deleting).invoke(asked, ALICE, durability="sync")
    assert "alice" not in saver.log


# --- rules --------------------------------------------------------------------------------------


def test_the_first_write_of_a_task_and_place_counts(saver: TurnlogSaver):
    config = put(saver, ROOT)
    saver.put_writes(config, [("a", 1), ("b", 2)], "task")
    saver.put_writes(config, [("a", 3), ("b", 4), ("c", 5)], "task")
    saver.put_writes(config, [("__error__", "first")], "task")
    saver.put_writes(config, [("__error__", "last")], "task")
    found = saver.get_tuple(ROOT)
    assert found is not None
    written = [(channel, value) for _, channel, value in found.pending_writes or ()]
    assert written == [("__error__", "last"), ("a", 1), ("b", 2), ("c", 5)]


def test_a_checkpoint_recorded_twice_is_stored_once(saver: TurnlogSaver):
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"] = {"messages": [HumanMessage("hello", id="1")]}
    checkpoint["channel_versions"] = {"messages": 1}
    for _ in range(2):
        saver.put(ROOT, checkpoint, {"source": "loop"}, {"messages": 1})
    assert saver.log.conversation("alice").version == 1
    checkpoint["channel_values"] = {"messages": [HumanMessage("good day", id="1")]}
    saver.put(ROOT, checkpoint, {"source": "loop"}, {"messages": 1})
    assert in_log(saver)[-1:] == ["good day"]
    assert len(list(saver.list(ALICE))) == 1


def test_a_checkpoint_stored_again_leaves_those_that_continue_it(saver: TurnlogSaver):
    first = put(saver, ROOT, messages=[HumanMessage("one", id="1")], notes=[1, 2])
    then = put(saver, first, messages=[HumanMessage("one", id="1"), AIMessage("a", id="2")],
               notes=[1, 2, 3])  # fmt: skip
    id = first["configurable"]["checkpoint_id"]
    put(saver, ROOT, id=id, messages=[HumanMessage("other", id="9")], notes=[])
    for config, expected, notes in ((first, ["other"], []), (then, ["one", "a"], [1, 2, 3])):
        found = saver.get_tuple(config)
        assert found is not None
        assert texts(found.checkpoint["channel_values"]["messages"]) == expected
        assert found.checkpoint["channel_values"]["notes"] == notes


def test_the_greatest_id_is_the_newest_and_both_runs_stay(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "hello")
    start = chat.get_state(ALICE).config
    messages = chat.get_state(ALICE).values["messages"]
    ids = [empty_checkpoint()["id"] for _ in range(2)]
    for id, text in ((ids[1], "later"), (ids[0], "earlier")):
        values = [*messages, HumanMessage(text, id=text)]
        put(saver, start, id=id, messages=values)
    assert chat.get_state(ALICE).values["messages"][-1].content == "later"
    said_there = [getattr(event, "text", None) for event in saver.log.read_events("alice")]
    assert {"later", "earlier"} <= set(said_there)


def test_a_stale_parent_raises_if_requested(sqlite_url: str):
    with TurnlogSaver(sqlite_url, stale="raise") as saver:
        chat = graph(saver)
        say(chat, "hello")
        before = chat.get_state(ALICE).config
        say(chat, "bye")
        before_it = in_log(saver), len(list(saver.list(ALICE)))
        with pytest.raises(StaleParent, match="the newest is"):
            say(chat, "hello again", before)
        assert (in_log(saver), len(list(saver.list(ALICE)))) == before_it
        say(chat, "on")


def test_prune_hides_and_the_thread_continues(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "hello")
    old = chat.get_state(ALICE).config
    say(chat, "bye")
    saver.prune(["alice", "unknown"])
    assert len(list(saver.list(ALICE))) == 1
    assert saver.get_tuple(old) is None
    assert len(say(chat, "again")) == 6
    saver.prune(["alice"], strategy="delete")
    assert list(saver.list(ALICE)) == []
    assert texts(say(chat, "new")) == ["new", "you said new"]
    assert in_log(saver)[0] == "hello"
    with pytest.raises(ValueError, match="keep_latest"):
        saver.prune(["alice"], strategy="all")


def test_a_copy_has_every_checkpoint_and_diverges(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "hello")
    before = saver.log.store.reader.last_position()
    saver.copy_thread("alice", "bob")
    assert saver.log.store.reader.last_position() == before + 1  # where it begins, and no copy
    say(chat, "mine", BOB)
    say(chat, "yours")
    assert len(list(saver.list(BOB))) == 6
    assert in_log(saver) == ["hello", "you said hello", "yours", "you said yours"]
    found = chat.get_state(BOB).values["messages"]
    assert texts(found) == ["hello", "you said hello", "mine", "you said mine"]
    assert texts(saver.log.conversation("bob").messages()) == texts(found)
    with pytest.raises(InvalidEvent, match="exists already"):
        saver.copy_thread("alice", "bob")
    saver.copy_thread("unknown", "carol")
    assert "carol" not in saver.log


def test_a_copy_of_a_deleted_thread_keeps_its_own_messages(sqlite_url: str):
    with TurnlogSaver(sqlite_url) as saver:
        say(graph(saver), "hello")
        saver.copy_thread("alice", "bob")
        say(graph(saver), "mine", BOB)
        saver.delete_thread("alice")
    with TurnlogSaver(sqlite_url) as saver:
        chat = graph(saver)
        assert texts(chat.get_state(BOB).values["messages"]) == ["mine", "you said mine"]
        assert texts(say(chat, "again", BOB))[2:] == ["again", "you said again"]
        assert b"hello" not in b"".join(each.checkpoint["ts"].encode() for each in saver.list(BOB))


@pytest.mark.parametrize("said_since", [False, True])
def test_a_running_graph_in_a_copy_does_not_undo_the_deletion_of_its_source(
    saver: TurnlogSaver, said_since: bool
):
    messages: list[Any] = [HumanMessage("hello", id="1"), AIMessage("hi", id="2")]
    put(saver, ROOT, messages=messages)
    saver.copy_thread("alice", "bob")
    found = saver.get_tuple(BOB)
    assert found is not None
    config = found.config
    if said_since:
        messages.append(HumanMessage("mine", id="3"))
        config = put(saver, config, messages=messages)
    saver.delete_thread("alice")
    before = saver.log.conversation("bob").state.event
    later = HumanMessage("bye", id="4")
    with pytest.raises(InvalidEvent, match="what was redacted or deleted during the run"):
        put(saver, config, messages=[*messages, later])
    assert saver.log.conversation("bob").state.event == before
    put(saver, config, messages=[*messages[2:], later])
    assert texts(saver.log.conversation("bob").messages()) == texts([*messages[2:], later])


@pytest.mark.parametrize("without_checkpoint", [False, True])
def test_a_fork_that_others_made_continues(saver: TurnlogSaver, without_checkpoint: bool):
    chat = graph(saver)
    say(chat, "hello")
    checkpoint = saver.log.conversation("alice").state.event
    say(chat, "later")
    saver.log.fork("alice", as_="bob", event=checkpoint - without_checkpoint)
    shared = texts(saver.log.conversation("bob").messages())
    assert texts(chat.get_state(BOB).values["messages"]) == shared == ["hello", "you said hello"]
    assert texts(say(chat, "mine", BOB)) == [*shared, "mine", "you said mine"]
    assert texts(saver.log.conversation("bob").messages()) == [*shared, "mine", "you said mine"]


def test_runs_and_threads_are_found_without_scanning_the_log(saver: TurnlogSaver):
    saver.log.record("quin", turnlog.UserUttered("I am in no thread"))
    for thread in ("alice", "bob", "carol"):
        config = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        saver.put(config, empty_checkpoint(), {"run_id": f"run of {thread}"}, {})
    saver.copy_thread("bob", "copy")
    with TurnlogSaver(saver.log) as another:
        another.delete_for_runs(["run of bob", "another's"])
        assert {*another._threads._threads} == {"bob", "copy"}
        found = [each.config["configurable"]["thread_id"] for each in another.list(None)]
        assert found == ["carol", "alice"]
        assert {*another._threads._threads} == {"alice", "bob", "carol", "copy"}
        wanted = another.list(None, filter={"run_id": "run of alice"})
        assert [each.config["configurable"]["thread_id"] for each in wanted] == ["alice"]


def test_the_read_model_of_threads_is_rebuilt_unchanged(saver: TurnlogSaver):
    for thread in ("alice", "bob"):
        config = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        saver.put(config, empty_checkpoint(), {"run_id": "run"}, {})
    saver.copy_thread("bob", "copy")
    saver.delete_thread("alice")
    assert [*threads(saver.log, [of_run("run")])] == ["bob", "copy"]
    live = [*saver.log.store.reader.entries(ThreadsProjection.name)]
    rebuild(saver.log.store, ThreadsProjection())
    assert [*saver.log.store.reader.entries(ThreadsProjection.name)] == live
    assert not any("alice" in entry[0] for entry in live)


def test_an_interrupt_waits_in_the_log(sqlite_url: str):
    def asking(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(f"so {interrupt('sure?')}")]}

    with TurnlogSaver(sqlite_url) as saver:
        say(graph(saver, asking), "pay")
    with TurnlogSaver(sqlite_url) as saver:
        chat = graph(saver, asking)
        assert chat.get_state(ALICE).interrupts[0].value == "sure?"
        chat.invoke(Command(resume="yes"), ALICE)
        assert in_log(saver) == ["pay", "so yes"]


# --- values -------------------------------------------------------------------------------------


@dataclass
class Order:
    item: str
    tags: frozenset[str]


class Unheard:
    pass


@pytest.mark.parametrize(
    "value",
    [
        b"\x00\xff", bytearray(b"x"), (1, 2), {1: "a", "$": 1}, {"$": "human"},
        {"$e": "1_text_text"}, float("inf"), 2**64 - 1, {"x": [{1, 2}]},
        Order("tea", frozenset({"a"})), [], [[], {}], "",
    ],
)  # fmt: skip
def test_any_value_round_trips_as_with_langgraphs_serializer(sqlite_url: str, value: Any):
    serde = JsonPlusSerializer()
    with TurnlogSaver(sqlite_url) as saver:
        put(saver, ROOT, v=value, l=[value])
    with TurnlogSaver(sqlite_url) as saver:
        found = saver.get_tuple(ROOT)
    assert found is not None
    expected = serde.loads_typed(serde.dumps_typed([value]))
    assert found.checkpoint["channel_values"]["l"] == expected
    assert type(found.checkpoint["channel_values"]["v"]) is type(
        serde.loads_typed(serde.dumps_typed(value))
    )


@pytest.mark.parametrize(
    "values",
    [
        {"a": "x" * 5_000_000},
        {"a": b"\x00" * 5_000_000},
        {"a": ["y" * 1000] * 5000},
        {"messages": [ToolMessage("z" * 5_000_000, tool_call_id="c", id="1")]},
        {"messages": [ToolMessage("", tool_call_id="c", id="1", artifact="z" * 5_000_000)]},
        {"messages": [HumanMessage([{"type": "image", "base64": "AAAA" * 1_250_000}], id="1")]},
    ],
    ids=["text", "bytes", "list", "result", "artifact", "image"],
)
def test_a_value_of_five_megabytes_round_trips(sqlite_url: str, values: dict[str, Any]):
    with TurnlogSaver(sqlite_url) as saver:
        config = put(saver, ROOT, **values)
        saver.put_writes(config, list(values.items()), "t")
        put(saver, config, b=1, **values)
    with TurnlogSaver(sqlite_url) as saver:
        newest, first = saver.list(ROOT)
        assert newest.checkpoint["channel_values"] == {"b": 1, **values}
        assert first.checkpoint["channel_values"] == values
        assert [write[1:] for write in first.pending_writes or ()] == [*values.items()]


def test_a_message_that_is_too_long_is_refused_whole(saver: TurnlogSaver):
    config = put(saver, ROOT, messages=[HumanMessage("a", id="1")])
    for message in HumanMessage("x" * 1_000_001, id="2"), AIMessage("x" * 1_000_001, id="2"):
        with pytest.raises(InvalidEvent, match="the limit for an event is 1,000,000"):
            put(saver, config, messages=[HumanMessage("a", id="1"), message], other=1)
    assert len(list(saver.list(ROOT))) == 1
    assert saver.log.conversation("alice").state.event == 2


def test_a_value_that_only_pickle_can_store_is_refused(sqlite_url: str):
    with TurnlogSaver(sqlite_url, serde=JsonPlusSerializer(pickle_fallback=True)) as saver:
        with pytest.raises(FormatError, match="Unheard can only be stored with pickle"):
            put(saver, ROOT, v=Unheard())
        assert "alice" not in saver.log
    with TurnlogSaver(sqlite_url) as saver, pytest.raises(TypeError, match="Unheard"):
        put(saver, ROOT, v=Unheard())
    with pytest.raises(TypeError, match="JsonPlusSerializer"):
        TurnlogSaver(sqlite_url, serde=object())  # type: ignore[arg-type]


@pytest.mark.parametrize("given", ["\ud800", {"\ud800": 1}, [HumanMessage("\ud800")]])
def test_a_lone_surrogate_is_refused(saver: TurnlogSaver, given: Any):
    chat = graph(saver)
    say(chat, "hello")
    before = chat.get_state(ALICE)
    with pytest.raises(FormatError, match="lone surrogate"):
        chat.invoke({"messages": [HumanMessage("x", additional_kwargs={"k": given})]}, ALICE)
    assert chat.get_state(ALICE) == before


@pytest.mark.parametrize("body", [b"[", b'"\xff"', b"[]", b'{"metadata":1}'])
def test_an_invalid_checkpoint_does_not_hide_other_threads(saver: TurnlogSaver, body: bytes):
    saver.log.record("odd", e.ForeignRecorded("langgraph", "checkpoint", body))
    say(graph(saver), "hello")
    assert {found.config["configurable"]["thread_id"] for found in saver.list(ALICE)} == {"alice"}
    assert set(threads(saver.log, ["every"])) == {"odd", "alice"}


def test_words_inside_an_extension_are_masked(saver: TurnlogSaver):
    chat = graph(saver)
    say(chat, "my card is 4000 1234")
    config = chat.get_state(ALICE).config
    saver.put_writes(config, [("order", Order("my card is 4000 1234", frozenset()))], "t")
    number = next(saver.log.conversation("alice").messages()).event
    saver.log.record("alice", e.MessageRedacted(number))
    assert b"4000" not in b"".join(
        event.body
        for event in saver.log.read_events("alice")
        if isinstance(event, e.ForeignRecorded)
    )
    assert "4000" not in repr(list(saver.list(ALICE)))


def test_a_redacted_foreign_event_is_skipped(saver: TurnlogSaver):
    config = put(saver, ROOT, a=1)
    saver.put_writes(config, [("a", "words")], "t")
    saver.log.record("alice", e.MessageRedacted(2))
    found = saver.get_tuple(ROOT)
    assert found is not None
    assert found.pending_writes == []


# --- several at once ----------------------------------------------------------------------------


def test_several_threads_can_call_a_saver(saver: TurnlogSaver):
    config = put(saver, ROOT)

    def write(number: int) -> None:
        saver.put_writes(config, [("a", number)], f"task {number:02}")
        assert saver.get_tuple(ROOT) is not None

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    found = saver.get_tuple(ROOT)
    assert found is not None
    assert [value for _, _, value in found.pending_writes or ()] == list(range(40))


async def test_the_asynchronous_methods_do_the_same(sqlite_url: str):
    async with TurnlogSaver(sqlite_url) as saver:
        chat = graph(saver)
        configs: Any = [{"configurable": {"thread_id": f"user {n}"}} for n in range(5)]
        await asyncio.gather(
            *(chat.ainvoke({"messages": [("user", "hello")]}, config) for config in configs)
        )
        for config in configs:
            state = await chat.aget_state(config)
            assert texts(state.values["messages"]) == ["hello", "you said hello"]
        found = [each async for each in saver.alist(None)]
        assert len(found) == 15
        assert len([each async for each in saver.alist(configs[0], limit=2)]) == 2


def test_an_open_log_is_shared(sqlite_url: str):
    with turnlog.open(sqlite_url) as log:
        with TurnlogSaver(log) as saver:
            say(graph(saver), "hello")
        assert texts(log.conversation("alice").messages()) == ["hello", "you said hello"]

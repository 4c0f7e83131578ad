"""Laws of messages: to events and back, through the log's encoding; equality; fit for a model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import dropwhile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import turnlog
from tests.property.message_shapes import FRAMEWORKS, chats
from tests.property.message_shapes import messages as any_message
from tests.property.test_laws import asks, continued, flat, recorded, sizes
from tests.property.test_laws import messages as talked
from turnlog import BotUttered, Event
from turnlog.domain import events as e
from turnlog.domain.message import Message
from turnlog.domain.message_context import for_model
from turnlog.domain.message_equality import alike, flattened, identical
from turnlog.domain.message_parts import Text, ToolCall, ToolResult
from turnlog.domain.message_recording import recorded_as
from turnlog.domain.messages import messages
from turnlog.encoding import binary
from turnlog.encoding.checking import checked
from turnlog.serializers.openai.messages import Messages
from turnlog.serializers.shared.json_value import parse
from turnlog.serializers.shared.plain import dumps, from_plain
from turnlog.testing.strategies import accepted

some = st.lists(any_message(), max_size=5)


def stored(events: Sequence[Event]) -> list[Event]:
    """As the log returns them."""
    return list(binary.decode_events(binary.encode_events(checked("c", events))))


def read(events: Sequence[Event], first: int = 1) -> list[Message]:
    return list(messages(enumerate(events, first)))


@settings(max_examples=200)
@given(some, st.integers(1, 1000))
def test_messages_round_trip_through_their_events(said: list[Message], first: int) -> None:
    events = stored(list(recorded_as(said, first)))
    back = read(events, first)
    assert [replace(message, event=None) for message in back] == said
    assert identical(back, said)
    assert alike(back, said)


@settings(max_examples=50)
@pytest.mark.parametrize("name", FRAMEWORKS)
@given(data=st.data())
def test_a_framework_reads_back_what_it_wrote(name: str, data: st.DataObject) -> None:
    said = data.draw(FRAMEWORKS[name])
    with turnlog.open("memory:") as log:
        log.record("a", BotUttered("before"))
        log.record("a", *recorded_as(said, 2))
        before, *back = log.conversation("a").messages()
    assert before.text == "before"
    assert identical(back, said)


@given(some)
def test_events_of_messages_round_trip_through_json(said: list[Message]) -> None:
    events = stored(list(recorded_as(said)))
    assert [from_plain(parse(dumps(event.as_dict()))) for event in events] == events


@given(some, some)
def test_messages_of_one_conversation_are_never_joined(
    one: list[Message], other: list[Message]
) -> None:
    events = list(recorded_as([*one, *other]))
    assert len(read(events)) == len(one) + len(other)


@given(some)
def test_other_events_between_those_of_a_message_do_not_matter(said: list[Message]) -> None:
    events = list(recorded_as(said))
    numbered = [(2 * n, replace(e, cause=e.cause and 2 * e.cause)) for n, e in enumerate(events, 1)]
    named = [
        (n, replace(event, message=2 * event.message) if hasattr(event, "message") else event)
        for n, event in numbered
    ]
    between: list[Any] = [(n + 1, turnlog.SlotSet("a", n)) for n, _ in named]
    mixed = sorted([*named, *between], key=lambda item: item[0])
    assert identical(messages(mixed), said)


@given(chats)
def test_messages_from_openai_are_recorded_again_as_read(chat: list[dict[str, Any]]) -> None:
    found = read(stored(list(Messages().events(chat, "messages"))))
    again = read(stored(list(recorded_as(found))))
    assert identical(again, found)
    assert [message.as_openai() for message in again] == [message.as_openai() for message in found]


# --- equal --------------------------------------------------------------------------------------


@given(some, some)
def test_equality_between_frameworks_is_an_equivalence(
    one: list[Message], other: list[Message]
) -> None:
    assert alike(one, one)
    assert alike(one, other) == alike(other, one)
    assert alike(one, other) or not identical(one, other)


@given(some, st.randoms(use_true_random=False))
def test_cuts_between_messages_of_a_role_do_not_matter_between_frameworks(
    said: list[Message], chance: random.Random
) -> None:
    cut: list[Message] = []
    for message in said:
        at = chance.randrange(len(message.parts) + 1)
        texts = sum(isinstance(part, Text) for part in message.parts)
        pieces = (message.parts[:at], message.parts[at:]) if texts < 2 else (message.parts,)
        cut += [replace(message, parts=piece, id=None, usage=None) for piece in pieces]
    assert alike(cut, said)


@given(some)
def test_a_changed_word_is_a_difference(said: list[Message]) -> None:
    for index, message in enumerate(said):
        changed = replace(message, parts=(*message.parts, Text("one word more")))
        assert not alike([*said[:index], changed, *said[index + 1 :]], said)


# --- for a model --------------------------------------------------------------------------------


def check_calls(fit: Sequence[Message]) -> None:
    """Each call is answered once, right after its message; no other call is answered."""
    waiting: list[str] = []
    for message in fit:
        if message.role == "tool":
            answered = [p.call_id for p in message.parts if isinstance(p, ToolResult)]
            assert answered
            for call_id in answered:
                waiting.remove(call_id or "")
        else:
            assert waiting == []
            calls = (part for part in message.parts if isinstance(part, ToolCall))
            waiting = [call.id for call in calls if not call.server]
    assert waiting == []


@given(some)
def test_a_model_reads_the_result_of_every_call_right_after_it(said: list[Message]) -> None:
    fit = for_model(said)
    check_calls(fit)
    assert for_model(fit) == fit


some_calls: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        e.ToolCalled, st.just("f"), call_id=st.sampled_from([None, "1", "2"]),
        server=st.sampled_from([False, False, True]),
        actor=st.sampled_from([None, "user", "a", "b"]), cause=st.none() | st.integers(1, 4),
    ),
    st.builds(
        e.ToolReturned, st.just("r"), call_id=st.sampled_from([None, "1", "2"]),
        server=st.sampled_from([False, False, True]), actor=st.sampled_from([None, "user", "a"]),
        cause=st.none() | st.integers(1, 4),
    ),
    st.builds(e.MediaAdded, st.just("image"), actor=st.sampled_from([None, "tool"])),
    st.builds(e.ReasoningAdded, st.just("so")),
    st.builds(e.BotFailed),
    st.builds(e.HistoryCompacted, st.integers(1, 6), st.integers(4, 9), st.none() | st.just("s")),
)  # fmt: skip
called_histories = (
    st.lists(asks | talked | some_calls | some_calls | continued, max_size=40)
    .map(flat)
    .map(accepted)
)


@given(called_histories, sizes, st.integers(1, 8))
def test_a_model_reads_each_call_answered_once_in_any_conversation(
    asked: list[Event], chosen: list[int], count: int
) -> None:
    """With rewinds, branches, redactions, compactions and repeated ids among them."""
    conversation: Any = recorded(asked, chosen)
    fit = list(conversation.messages(for_model=True))
    check_calls(fit)
    last = conversation.last(count, for_model=True)
    check_calls(last)
    assert last == [*dropwhile(lambda message: message.role == "tool", fit[-count:])]
    assert conversation.last(count) == [*conversation.messages()][-count:]


@given(some)
def test_closing_calls_changes_nothing_that_was_said(said: list[Message]) -> None:
    spoken = [message for message in said if message.role != "tool"]
    fit = [message for message in for_model(said) if message.role != "tool"]
    assert fit == spoken
    assert list(flattened(fit)) == list(flattened(spoken))

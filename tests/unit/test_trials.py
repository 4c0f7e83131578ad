"""Given a recorded conversation, when it goes on alone from a turn, then the bot answers itself."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import turnlog
from turnlog import (
    BotFailed,
    BotUttered,
    Chunk,
    Event,
    MessageRedacted,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserUtteranceReverted,
    UserUttered,
    VariableSet,
)
from turnlog.bots import LoadedBot, load
from turnlog.errors import (
    ConversationError,
    FormatError,
    InvalidEvent,
    OutOfRange,
    ToolFailed,
    VersionConflict,
)
from turnlog.replay import replay
from turnlog.replay.trying.trial import Trial, go_on, keep

PRICES = {"tea": 3, "cake": 4}


async def shop(conversation: Any, message: UserUttered) -> list[Event | str]:
    """Counts what was ordered, and asks for each price."""
    item = (message.text or "").split()[-1]
    cost = await conversation.call("price", item=item)
    count = conversation.slots.get("count", 0) + 1
    return [SlotSet("count", count), f"{item} is {cost}; {count} so far"]


async def twice(conversation: Any, message: UserUttered) -> list[Event | str]:
    """Counts everything twice."""
    item = (message.text or "").split()[-1]
    cost = await conversation.call("price", item=item)
    count = conversation.slots.get("count", 0) + 2
    return [SlotSet("count", count), f"{item} is {cost}; {count} so far"]


SHOP, TWICE = LoadedBot(shop, {"price": PRICES.__getitem__}), LoadedBot(twice, name="twice")
ORDERS = ("a tea", "a cake", "another tea")


@pytest.fixture
def log():
    with turnlog.open("memory:") as log:
        order(log, "anna", *ORDERS)
        yield log


def order(log: turnlog.Turnlog, id: str, *texts: str) -> None:
    for count, text in enumerate(texts, 1):
        item = text.split()[-1]
        number = log.record(id, UserUttered(text)).commits[-1].last_event
        said = f"{item} is {PRICES[item]}; {count} so far"
        log.record(
            id,
            ToolCalled("price", {"item": item}, f"{number}.1", cause=number),
            ToolReturned(PRICES[item], f"{number}.1", "price", cause=number + 1),
            SlotSet("count", count, cause=number),
            BotUttered(said, cause=number),
        )


def said(trial: Trial) -> list[list[str]]:
    return [
        [event.text or "" for event in turn.actual if isinstance(event, BotUttered)]
        for turn in trial.turns
    ]


def test_a_bot_that_goes_by_the_record_says_it_again(log: turnlog.Turnlog):
    trial = go_on(log, "anna", SHOP, from_turn=2)
    assert said(trial) == [["cake is 4; 2 so far"], ["tea is 3; 3 so far"]]
    assert not trial.differs
    assert [turn.slots for turn in trial.turns] == [{"count": 2}, {"count": 3}]
    recorded = list(log.conversation("anna").events(trial.shared))
    assert [type(event) for event in trial.events] == [type(event) for event in recorded]
    assert [event.cause for event in trial.events] == [event.cause for event in recorded]


def test_each_message_is_answered_on_top_of_what_the_bot_said(log: turnlog.Turnlog):
    trial = go_on(log, "anna", TWICE, from_turn=2)
    assert said(trial) == [["cake is 4; 3 so far"], ["tea is 3; 5 so far"]]
    assert [turn.divergence and turn.divergence.kind for turn in trial.turns] == ["slot", "slot"]
    assert [turn.expected_slots for turn in trial.turns] == [{"count": 2}, {"count": 3}]


def test_another_message_is_the_only_one_unless_the_record_follows(log: turnlog.Turnlog):
    assert said(go_on(log, "anna", SHOP, from_turn=2, say="a tea")) == [["tea is 3; 2 so far"]]
    following = go_on(log, "anna", SHOP, from_turn=2, say="a tea", follow=True)
    assert [turn.message.text for turn in following.turns] == ["a tea", "another tea"]
    assert following.turns[0].divergence is not None
    assert following.turns[0].divergence.message == "a tea"
    assert following.turns[1].divergence is None


def test_an_edit_of_the_past_changes_what_it_is_answered_on(log: turnlog.Turnlog):
    trial = go_on(log, "anna", SHOP, edits={4: {"value": 10}})
    assert said(trial) == [["cake is 4; 11 so far"]]
    assert trial.shared == 3
    assert [turn.recorded for turn in trial.turns] == [2]


def test_an_edited_message_is_said_in_its_turn(log: turnlog.Turnlog):
    trial = go_on(log, "anna", SHOP, edits={6: {"text": "one tea"}}, follow=True)
    assert said(trial) == [["tea is 3; 2 so far"], ["tea is 3; 3 so far"]]


@pytest.mark.parametrize(
    ("edits", "from_turn", "error"),
    [
        ({99: {"value": 1}}, None, OutOfRange),
        ({4: {"valeu": 1}}, None, FormatError),
        ({4: {"type": "BotUttered"}}, None, FormatError),
        ({6: {"text": 5}}, None, FormatError),
        ({9: {"value": 1}}, 2, OutOfRange),
        ({11: {"text": "tea"}}, 2, OutOfRange),
        ({15: {"text": "tea"}}, None, OutOfRange),
    ],
)
def test_an_edit_that_is_none_is_refused(
    log: turnlog.Turnlog, edits: Any, from_turn: int | None, error: type[Exception]
):
    with pytest.raises(error, match=r"event|field|turn|str"):
        go_on(log, "anna", SHOP, edits=edits, from_turn=from_turn)


def test_a_message_is_edited_or_replaced(log: turnlog.Turnlog):
    with pytest.raises(ConversationError, match="event 6 is both edited and replaced"):
        go_on(log, "anna", SHOP, from_turn=2, say="a tea", edits={6: {"text": "one tea"}})


@pytest.mark.parametrize("turn", [0, 4, -1])
def test_a_turn_that_is_not_there_is_refused(log: turnlog.Turnlog, turn: int):
    with pytest.raises(OutOfRange):
        go_on(log, "anna", SHOP, from_turn=turn)


def test_a_result_answers_an_equal_call_as_often_as_it_is_asked(log: turnlog.Turnlog):
    async def asks(conversation: Any, message: UserUttered) -> str:
        return ", ".join([str(await conversation.call("price", item="tea")) for _ in range(4)])

    assert said(go_on(log, "anna", LoadedBot(asks), from_turn=2)) == [["3, 3, 3, 3"]] * 2


def test_results_of_the_turn_come_in_order_then_the_newest_before_it():
    with turnlog.open("memory:") as log:
        for results in ((1,), (2, 3), (4,)):
            log.record("anna", UserUttered("how many?"))
            for result in results:
                log.record("anna", ToolCalled("count"), ToolReturned(result))
        log.record("anna", UserUttered("and now?"))

        async def asks(conversation: Any, message: UserUttered) -> str:
            return ", ".join([str(await conversation.call("count")) for _ in range(3)])

        trial = go_on(log, "anna", LoadedBot(asks), from_turn=2)
        assert said(trial) == [["2, 3, 3"], ["4, 4, 4"], ["4, 4, 4"]]


def test_a_call_without_a_recorded_result_fails(log: turnlog.Turnlog):
    async def asks(conversation: Any, message: UserUttered) -> str:
        with pytest.raises(ToolFailed, match="the record has no result"):
            await conversation.call("price", item="coffee")
        return "no coffee"

    assert said(go_on(log, "anna", LoadedBot(asks), from_turn=3)) == [["no coffee"]]


def test_a_recorded_failure_fails_again():
    with turnlog.open("memory:") as log:
        events = ToolCalled("price", {"item": "tea"}), ToolReturned("sold out", is_error=True)
        log.record("anna", UserUttered("a tea"), *events)
        [turn] = go_on(log, "anna", SHOP, from_turn=1).turns
        [failed] = [event for event in turn.actual if isinstance(event, BotFailed)]
        assert "sold out" in (failed.detail or "")


def test_live_tools_are_run(log: turnlog.Turnlog):
    dear = LoadedBot(shop, {"price": lambda item: 100})
    assert said(go_on(log, "anna", dear, from_turn=3, live=True)) == [["tea is 100; 3 so far"]]


def test_another_bot_goes_on_from_the_same_moment(log: turnlog.Turnlog):
    trial = go_on(log, "anna", TWICE, from_turn=2, say="a cake", beside=SHOP, follow=True)
    assert said(trial) == [["cake is 4; 3 so far"], ["tea is 3; 5 so far"]]
    assert [turn.expected_slots for turn in trial.turns] == [{"count": 2}, {"count": 3}]
    assert not go_on(log, "anna", SHOP, from_turn=2, say="a cake", beside=SHOP).differs


def test_nothing_is_recorded(log: turnlog.Turnlog):
    before = list(log.conversation("anna").events())
    go_on(log, "anna", TWICE, from_turn=1)
    assert list(log.conversation("anna").events()) == before
    assert list(log.ids()) == ["anna"]


# --- kept ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {"from_turn": 1},
        {"from_turn": 2},
        {"from_turn": 2, "say": "a tea", "follow": True},
        {"edits": {4: {"value": 10}}, "follow": True},
        {"edits": {1: {"text": "one cake"}}, "follow": True},
        {"edits": {1: {"text": "one cake"}}, "from_turn": 3},
    ],
)
def test_a_trial_is_kept_as_a_fork_that_counts_nowhere(log: turnlog.Turnlog, asked: Any):
    trial = go_on(log, "anna", TWICE, **asked)
    recorded = keep(log, trial, "what-if", reason="twice")
    assert recorded.new
    assert list(log.ids(trials=False)) == ["anna"]
    kept = log.conversation("what-if")
    assert kept.slots == trial.turns[-1].slots
    assert kept.state.lineage.trial
    messages = [event.text for event in kept.events() if isinstance(event, UserUttered)]
    assert messages[-len(trial.turns) :] == [turn.message.text for turn in trial.turns]


def test_a_kept_trial_is_replayed_like_any_conversation(log: turnlog.Turnlog):
    keep(log, go_on(log, "anna", TWICE, from_turn=2), "what-if")
    [replayed] = replay(log, ["what-if"], TWICE)
    assert replayed.turns == 3
    assert [found.turn for found in replayed.divergences] == [1]  # the shared past was the shop's


def test_causes_in_a_kept_trial_name_the_same_events(log: turnlog.Turnlog):
    keep(log, go_on(log, "anna", SHOP, edits={4: {"value": 10}}, follow=True), "what-if")
    kept = list(enumerate(log.conversation("what-if").events(), 1))
    events = dict(kept)
    caused = [(n, e) for n, e in kept if isinstance(e, BotUttered) and n > 3]
    assert len(caused) == 3
    for number, event in caused:
        cause = events[event.cause or 0]
        assert isinstance(cause, UserUttered), number
        assert (event.text or "").split()[0] == (cause.text or "").split()[-1]


def test_a_trial_is_kept_on_every_back_end(url: str):
    with turnlog.open(url) as log:
        order(log, "anna", *ORDERS)
        for turn in (1, 2, 3):
            trial = go_on(log, "anna", TWICE, from_turn=turn)
            keep(log, trial, f"what-if-{turn}")
        with pytest.raises(InvalidEvent, match="exists already"):
            keep(log, trial, "anna")
        kept = [log.conversation(f"what-if-{turn}").slots for turn in (1, 2, 3)]
        assert kept == [{"count": 6}, {"count": 5}, {"count": 4}]
        assert list(log.ids(trials=False)) == ["anna"]


def test_an_id_that_is_taken_keeps_nothing(log: turnlog.Turnlog):
    order(log, "bert", "a tea")
    before = {id: list(log.conversation(id).events()) for id in log.ids()}
    for turn in (1, 2):
        with pytest.raises((InvalidEvent, VersionConflict)):
            keep(log, go_on(log, "anna", TWICE, from_turn=turn), "bert")
    assert {id: list(log.conversation(id).events()) for id in log.ids()} == before


# --- what is hidden, taken back, or others' ------------------------------------------------------


def test_a_redacted_word_reaches_no_bot():
    seen: list[str] = []

    async def looks(conversation: Any, message: UserUttered) -> str:
        seen.extend(repr(event) for event in conversation.events())
        seen.append(repr((conversation.slots, message, list(conversation.messages()))))
        return "noted"

    with turnlog.open("memory:") as log:
        for text in ("my card is 4111-2222", "and now?", "well?"):
            log.record("anna", UserUttered(text), SlotSet("card", text[11:]), BotUttered("noted"))
        log.record("anna", MessageRedacted(1))
        trial = go_on(log, "anna", LoadedBot(looks), from_turn=2)
        assert len(trial.turns) == 2
        with pytest.raises(ConversationError, match="turn 1 is redacted"):
            go_on(log, "anna", LoadedBot(looks), from_turn=1)
        go_on(log, "anna", LoadedBot(looks), from_turn=1, say="hello")
        with pytest.raises(ConversationError, match="event 1 is redacted"):
            go_on(log, "anna", LoadedBot(looks), edits={1: {"text": "hello"}})
    assert seen
    assert "4111" not in "".join(seen)


def test_what_is_redacted_later_hides_nothing_of_a_trial():
    async def echoes(conversation: Any, message: UserUttered) -> str:
        heard = [event.text for event in conversation.events() if isinstance(event, UserUttered)]
        return ", ".join(heard)

    with turnlog.open("memory:") as log:
        for text in ("one", "secret", "three"):
            log.record("anna", UserUttered(text), BotUttered("noted"))
        log.record("anna", MessageRedacted(3))
        trial = go_on(log, "anna", LoadedBot(echoes), from_turn=1)
        assert said(trial) == [["one"], ["one, three"]]


def test_a_trial_is_not_kept_where_a_fork_would_show_what_is_hidden():
    """A value that an import put before the message, of which a fork at its turn knows nothing."""
    with turnlog.open("memory:") as log:
        unit = VariableSet("bank", "name", "Xanthippe", cause=2)
        log.record("anna", unit, UserUttered("I am Xanthippe"), BotUttered("hello"))
        log.record("anna", MessageRedacted(2))
        assert "Xanthippe" not in repr(list(log.conversation("anna").events()))
        trial = go_on(log, "anna", LoadedBot(lambda c, m: repr(list(c.events()))), from_turn=1,
                      say="hi")  # fmt: skip
        assert "Xanthippe" not in repr(trial)
        with pytest.raises(InvalidEvent, match="would show words that were redacted"):
            keep(log, trial, "what-if")
        assert list(log.ids()) == ["anna"]


def test_what_was_taken_back_is_not_said_again():
    with turnlog.open("memory:") as log:
        log.record("anna", UserUttered("a tea"), BotUttered("yes"))
        log.record("anna", UserUttered("no"), BotUttered("no?"))
        log.checkout("anna", turn=1)
        log.record("anna", UserUttered("a cake"), BotUttered("yes"))
        log.record("anna", UserUttered("what?"), BotUttered("?"))
        log.record("anna", UserUttered("oh"), UserUtteranceReverted(), UserUtteranceReverted())
        trial = go_on(log, "anna", LoadedBot(lambda conversation, message: "yes"), from_turn=1)
        assert [turn.message.text for turn in trial.turns] == ["a tea", "a cake", "oh"]


def test_what_others_set_meanwhile_is_set_again():
    with turnlog.open("memory:") as log:
        log.record("anna", UserUttered("hello"), BotUttered("hi"))
        log.record("anna", SlotSet("place", "Ulm", actor="system"))
        log.record("anna", UserUttered("where?"), BotUttered("Ulm"))

        def where(conversation: Any, message: UserUttered) -> str:
            return str(conversation.slots.get("place", "hi"))

        assert said(go_on(log, "anna", LoadedBot(where), from_turn=1)) == [["hi"], ["Ulm"]]


def test_the_bots_clock_is_the_records():
    with turnlog.open("memory:") as log:
        log.record("anna", UserUttered("hello", timestamp=86400.0))
        bot = LoadedBot(lambda conversation, message: str(conversation.now))
        assert said(go_on(log, "anna", bot, from_turn=1)) == [["86400.0"]]


def test_a_bot_that_blocks_is_broken_off(log: turnlog.Turnlog):
    async def blocks(conversation: Any, message: UserUttered) -> str:
        time.sleep(30)
        return "late"

    [turn] = go_on(log, "anna", LoadedBot(blocks), from_turn=3, timeout=0.1).turns
    assert [event.kind for event in turn.actual if isinstance(event, BotFailed)] == ["timeout"]


def test_a_bot_that_streams_goes_on_alone(log: turnlog.Turnlog):
    async def streams(conversation: Any, message: UserUttered) -> Any:
        yield Chunk("for ")
        yield Chunk("you: ")
        price = await conversation.call("price", item="tea")
        yield f"{price}, {conversation.slots.get('asked', 0)}"
        yield SlotSet("asked", conversation.turn)

    trial = go_on(log, "anna", LoadedBot(streams), from_turn=2)
    assert said(trial) == [["for you: ", "3, 0"], ["for you: ", "3, 2"]]
    keep(log, trial, "what-if")
    assert log.conversation("what-if").slots == {"count": 1, "asked": 3}


def test_it_runs_in_a_thread_of_an_async_program(log: turnlog.Turnlog):
    async def ran() -> Trial:
        return await asyncio.to_thread(go_on, log, "anna", SHOP, from_turn=3)

    assert said(asyncio.run(ran())) == [["tea is 3; 3 so far"]]


def test_the_booking_bot_goes_on_alone():
    booking = load("turnlog.bots.booking:bot")
    with turnlog.open("memory:") as log:
        for text in ("hello", "two people", "friday", "7pm", "Anna"):
            log.record("anna", UserUttered(text))
        trial = go_on(log, "anna", booking, from_turn=1, live=True)
        assert said(trial)[-1][0].startswith("A table for 2, friday at 19:00, for Anna?")

"""Dialog units and their timers: what users see, and what the log records."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

import turnlog
from turnlog import (
    BotUttered,
    DeliveryFailed,
    DeliverySucceeded,
    PromptAnswered,
    PromptArmed,
    PromptCancelled,
    PromptTimedOut,
    StateEntered,
    ThreadEnded,
    ThreadStarted,
    UserUttered,
    VariableSet,
)
from turnlog.bots import as_events
from turnlog.dialogs.runner import DialogRunner
from turnlog.dialogs.tour import bot as tour
from turnlog.dialogs.units import Dialog, Unit
from turnlog.errors import InvalidEvent, TurnlogError, UnknownConversation, UnknownState


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def log(tmp_path, clock):
    async with turnlog.aopen(f"sqlite:///{tmp_path}/talks.db", clock=clock) as opened:
        yield opened


def texts(events) -> list[str | None]:
    return [event.text for event in events if isinstance(event, BotUttered)]


def kinds(events) -> list[type]:
    return [type(event) for event in events]


def two_questions(**settings) -> Dialog:
    unit = Unit("quiz")

    @unit.state
    async def first(thread):
        thread.ask("One?", wait=15)
        thread.next("got_first")

    @unit.state
    async def got_first(thread):
        if thread.text == "again":
            thread.repeat()
            return
        thread.variables["one"] = thread.text
        await thread.start(second)

    @unit.state
    async def second(thread):
        thread.ask("Two?", wait=15, attempts=2)
        thread.next("got_second")

    @unit.state
    async def got_second(thread):
        if thread.text == "back":
            await thread.back()
            return
        thread.say(f"{thread.variables['one']} and {thread.text}")
        thread.end()

    return Dialog(unit, start="quiz.first", **settings)


async def test_a_dialog_from_its_start_to_its_end(log):
    runner = DialogRunner(log, two_questions())
    assert texts(await runner.say("ann", "hi")) == ["One?"]
    assert texts(await runner.say("ann", "a")) == ["Two?"]
    assert texts(await runner.say("ann", "b")) == ["a and b"]
    events = await log.read_events("ann")
    assert kinds(events) == [
        UserUttered, ThreadStarted, BotUttered, PromptArmed, StateEntered,
        UserUttered, PromptAnswered, StateEntered, BotUttered, PromptArmed, StateEntered,
        VariableSet,
        UserUttered, PromptAnswered, BotUttered, ThreadEnded,
    ]  # fmt: skip
    armed = events[3]
    assert (armed.due, armed.attempt, armed.wait) == (log.sync.clock() + 15, 1, 15)
    thread = await runner.thread("ann")
    assert (thread.ended, thread.variables) == ("end", {"quiz": {"one": "a"}})


async def test_going_back_asks_the_question_before_again(log):
    runner = DialogRunner(log, two_questions())
    for text in ("hi", "a"):
        await runner.say("ann", text)
    assert texts(await runner.say("ann", "back")) == ["One?"]
    assert (await runner.thread("ann")).path == ("quiz.first",)
    await runner.say("ann", "c")
    assert texts(await runner.say("ann", "b")) == ["c and b"]


async def test_repeating_asks_the_same_question_with_its_deadline(log, clock):
    runner = DialogRunner(log, two_questions())
    await runner.say("ann", "hi")
    clock.now += 5
    assert texts(await runner.say("ann", "again")) == ["One?"]
    (prompt,) = (await runner.thread("ann")).prompts.values()
    assert (prompt.due, prompt.attempt) == (clock.now + 15, 1)


@pytest.mark.parametrize(
    ("ended", "answer"),
    [("restart", ["One?"]), ("ignore", []), ("again", ["a and c"]), ("quiz.second", ["Two?"])],
)
async def test_the_effect_of_a_message_to_an_ended_thread_is_an_option(log, ended, answer):
    runner = DialogRunner(log, two_questions(ended=ended))
    for text in ("hi", "a", "b"):
        await runner.say("ann", text)
    assert texts(await runner.say("ann", "c")) == answer


async def test_a_thread_can_be_started_and_ended_from_outside(log):
    runner = DialogRunner(log, two_questions())
    assert texts(await runner.start("ann", "quiz.second")) == ["Two?"]
    ended = await runner.end("ann", "operator")
    assert kinds(ended) == [PromptCancelled, ThreadEnded]
    assert (await runner.thread("ann")).ended == "operator"
    assert await runner.end("ann") == []


async def test_a_repeated_message_is_answered_once(log):
    runner = DialogRunner(log, two_questions())
    assert texts(await runner.say("ann", "hi", message_id="1")) == ["One?"]
    assert await runner.say("ann", "hi", message_id="1") == []


# --- bad input ----------------------------------------------------------------------------------


async def test_unknown_sessions_units_and_states_are_named(log):
    runner = DialogRunner(log, two_questions())
    with pytest.raises(UnknownConversation, match="'stranger'"):
        await runner.end("stranger")
    await log.record("ann", UserUttered("hello"))
    with pytest.raises(UnknownConversation):
        await runner.thread("ann")
    with pytest.raises(UnknownState, match=r"'ann'.*unknown unit 'nope'; known: quiz"):
        await runner.start("ann", "nope.first")
    with pytest.raises(
        UnknownState, match="unknown state 'nope' of unit 'quiz'; known: first, got_first"
    ):
        await runner.start("ann", "quiz.nope")
    assert kinds(await log.read_events("ann")) == [UserUttered]
    with pytest.raises(UnknownState):
        Dialog(Unit("empty"), start="empty.first")
    with pytest.raises(TurnlogError, match="dot"):
        Unit("a.b")


async def test_a_thread_whose_state_was_removed_from_the_code_is_an_error(log):
    await log.record("ann", ThreadStarted(unit="old", state="gone"))
    with pytest.raises(UnknownState, match="unknown unit 'old'"):
        await DialogRunner(log, two_questions()).say("ann", "hi")


async def test_a_variable_that_cannot_be_stored_leaves_the_thread_where_it_was(log):
    unit = Unit("u")

    @unit.state
    async def first(thread):
        thread.say("not to be recorded")
        thread.variables["bad"] = {1, 2}

    runner = DialogRunner(log, Dialog(unit, start="u.first"))
    with pytest.raises(InvalidEvent, match=r"'ann'.*u\.bad"):
        await runner.say("ann", "hi")
    assert kinds(await log.read_events("ann")) == [UserUttered]


# --- timers -------------------------------------------------------------------------------------


async def test_a_question_is_asked_again_and_then_the_thread_is_abandoned(log, clock):
    runner = DialogRunner(log, two_questions())
    await runner.start("ann", "quiz.second")
    assert await runner.timers.fire_due() == 0
    clock.now += 15
    assert await runner.timers.fire_due() == 1
    events = await log.read_events("ann")
    assert kinds(events[-3:]) == [PromptTimedOut, BotUttered, PromptArmed]
    assert (events[-1].attempt, events[-1].due) == (2, clock.now + 15)
    assert events[-2].message_id == f"timeout-{events[-3].token}-0"
    clock.now += 15
    assert await runner.timers.fire_due() == 1
    assert (await runner.thread("ann")).ended == "abandoned"
    clock.now += 1000
    assert await runner.timers.fire_due() == 0


async def test_a_timeout_can_have_its_own_state(log, clock):
    runner = DialogRunner(log, tour)
    await runner.say("ann", "hi")
    await runner.say("ann", "Ann")
    clock.now += 30
    await runner.timers.fire_due()
    clock.now += 60
    await runner.timers.fire_due()
    clock.now += 60
    await runner.timers.fire_due()
    said = texts(await log.read_events("ann"))
    assert said[-3:] == [
        "Are you still there?", "Are you still there?", "I'll be here when you are back.",
    ]  # fmt: skip
    assert (await runner.thread("ann")).ended == "abandoned"


async def test_a_reply_and_an_end_cancel_the_timer(log, clock):
    runner = DialogRunner(log, two_questions())
    await runner.say("ann", "hi")
    await runner.say("bob", "hi")
    await log.record("ann", UserUttered("a reply that is not handled yet"))
    await runner.end("bob")
    clock.now += 1000
    assert await runner.timers.fire_due() == 0
    assert PromptTimedOut not in kinds(await log.read_events("ann"))


async def test_a_clock_set_back_fires_nothing_early(log, clock):
    runner = DialogRunner(log, two_questions())
    await runner.say("ann", "hi")
    clock.now -= 3600
    assert await runner.timers.fire_due() == 0
    clock.now += 3600 + 15
    assert await runner.timers.fire_due() == 1


async def test_a_timeout_whose_state_fails_is_a_failure_of_the_bot_and_fires_once(log, clock):
    unit = Unit("u")

    @unit.state
    async def first(thread):
        thread.ask("?", wait=1, on_timeout="fails")

    @unit.state
    async def fails(thread):
        raise ZeroDivisionError("oops")

    runner = DialogRunner(log, Dialog(unit, start="u.first"))
    await runner.say("ann", "hi")
    clock.now += 2
    assert await runner.timers.fire_due() == 1
    assert (await log.read_events("ann"))[-1].detail == "ZeroDivisionError: oops"
    assert await runner.timers.fire_due() == 0


async def test_a_timers_message_is_delivered_again_if_its_delivery_is_not_recorded(log, clock):
    sent = []

    async def deliver(id, event, message):
        sent.append((id, event, message.message_id))
        if len(sent) == 1:
            raise asyncio.CancelledError
        return "wamid.1"

    runner = DialogRunner(log, two_questions(), deliver=deliver)
    await runner.say("ann", "hi")
    clock.now += 15
    with pytest.raises(asyncio.CancelledError):
        await runner.timers.fire_due()
    assert DeliverySucceeded not in kinds(await log.read_events("ann"))
    runner = DialogRunner(log, two_questions(), deliver=deliver)
    assert await runner.timers.fire_due() == 0
    assert sent[0] == sent[1]
    assert (await log.read_events("ann"))[-1].message == sent[0][1]
    await runner.timers.fire_due()
    assert len(sent) == 2


async def test_a_delivery_that_fails_is_recorded(log, clock):
    async def deliver(id, event, message):
        raise OSError("no route")

    runner = DialogRunner(log, two_questions(), deliver=deliver)
    await runner.say("ann", "hi")
    clock.now += 15
    await runner.timers.fire_due()
    failed = (await log.read_events("ann"))[-1]
    assert isinstance(failed, DeliveryFailed)
    assert failed.reason == "OSError: no route"


async def test_timers_run_by_themselves(tmp_path):
    unit = Unit("u")

    @unit.state
    async def first(thread):
        thread.ask("?", wait=0.05, attempts=2)

    async with turnlog.aopen(f"sqlite:///{tmp_path}/t.db") as log:
        runner = DialogRunner(log, Dialog(unit, start="u.first"))
        async with runner.timers.running():
            await runner.say("ann", "hi")
            for _ in range(100):
                await asyncio.sleep(0.05)
                if (await runner.thread("ann")).ended:
                    break
        assert Counter(kinds(await log.read_events("ann")))[PromptTimedOut] == 2


# --- the bot that ships -------------------------------------------------------------------------


async def test_the_tour_bot_guides_a_user_to_the_end(log):
    runner = DialogRunner(log, tour)
    said = [texts(await runner.say("ann", text)) for text in ("hi", "I'm Ann", "mars", "Genoa")]
    assert said[0] == ["Hello! What's your name?"]
    assert said[1] == ["Nice to meet you, Ann!", "Where shall we go?"]
    assert said[2][-1] == "Where shall we go?"
    assert said[3] == ["In Genoa, Ann, see the old harbour and the lanterna. Enjoy it!"]
    assert texts(await runner.say("ann", "more")) == ["Hello! What's your name?"]
    assert texts(await runner.say("ann", "Bo")) == ["Nice to meet you, Bo!", "Where shall we go?"]
    assert texts(await runner.say("ann", "back")) == ["Hello! What's your name?"]


async def test_a_bot_s_view_without_a_state_is_folded_from_the_events():
    class View:
        id, slots, turn, now = "ann", {}, 1, 0.0

        def events(self):
            return iter([ThreadStarted(unit="quiz", state="got_first"), UserUttered("a")])

    dialog = two_questions()
    assert texts(as_events(await dialog(View(), UserUttered("a")))) == ["Two?"]

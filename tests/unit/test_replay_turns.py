"""Which turns are sent to the bot, which events are its answer, and which change nothing."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import pytest

import turnlog
from turnlog import (
    ActionExecuted,
    AgentUttered,
    BotUttered,
    ConversationPaused,
    ConversationResumed,
    Dialogue,
    Entity,
    Event,
    HandoverEnded,
    HandoverStarted,
    HistoryReplaced,
    Intent,
    LoopActivated,
    MessageUnderstood,
    ReminderScheduled,
    SessionStarted,
    SlotSet,
    SlotsReset,
    ToolCalled,
    ToolReturned,
    UserUttered,
)
from turnlog.bots import LoadedBot
from turnlog.replay import ReplayedConversation, replay

LISTEN = ActionExecuted("action_listen")


def replayed(recorded: list[Event], *answer: Event | str) -> tuple[ReplayedConversation, list[Any]]:
    """The result of replaying an imported conversation, and what was sent to the bot."""
    asked: list[Any] = []

    async def bot(conversation: Any, message: UserUttered) -> list[Event | str]:
        asked.append(message.text)
        return list(answer)

    with turnlog.open("memory:") as log:
        log.import_dialogue(Dialogue("c", tuple(recorded)))
        [one] = replay(log, ["c"], LoadedBot(bot))
    return one, asked


HELLO = [UserUttered("hello"), BotUttered("Hello")]


@pytest.mark.parametrize(
    ("recorded", "counts"),
    [
        ([*HELLO, UserUttered("bye")], (1, 1, 0, 0)),
        ([*HELLO, UserUttered("bye"), turnlog.ConversationTagged(("x",))], (1, 1, 0, 0)),
        ([UserUttered("hi"), *HELLO], (1, 1, 0, 0)),
        ([UserUttered("hi"), UserUttered("?"), *HELLO, UserUttered("bye")], (1, 3, 0, 0)),
        ([UserUttered("a person!"), AgentUttered("Yes?"), *HELLO], (1, 0, 0, 1)),
        ([UserUttered("a person!"), HandoverStarted("olga"), AgentUttered("Yes?")], (0, 0, 0, 1)),
        ([UserUttered("a"), ConversationPaused(), *HELLO], (1, 1, 0, 0)),
        ([*HELLO, ConversationPaused(), UserUttered("a"), MessageUnderstood(Intent("x")),
          ConversationResumed(), *HELLO], (2, 1, 0, 0)),
        ([UserUttered("a"), BotUttered("b", actor="system"), *HELLO], (1, 0, 0, 1)),
        ([*HELLO, UserUttered("no"), HistoryReplaced(2), *HELLO], (2, 0, 1, 0)),
        ([*HELLO, UserUttered("no"), BotUttered("?"), HistoryReplaced(2)], (1, 0, 1, 0)),
        ([UserUttered("x"), ToolCalled("see", {}, "1", actor="user"),
          ToolReturned("sky", "1", actor="user"), *HELLO], (1, 1, 0, 0)),
    ],
)  # fmt: skip
def test_turns_without_an_answer_of_the_bot_are_counted_separately(
    recorded: list[Event], counts: tuple[int, ...]
) -> None:
    found, asked = replayed(recorded, "Hello")
    assert found.divergences == ()
    assert (found.turns, found.unanswered, found.taken_back, found.foreign) == counts
    assert asked == ["hello"] * found.turns


@pytest.mark.parametrize(
    "recorded",
    [
        [*HELLO, HandoverStarted("olga"), AgentUttered("I am Olga"), HandoverEnded()],
        [*HELLO, ConversationPaused(), ConversationResumed()],
        [UserUttered("hello"), ConversationPaused(), BotUttered("Hello")],
        [*HELLO, AgentUttered("I am Olga"), ToolCalled("look", {}, "1", actor="agent")],
        [*HELLO, LISTEN, ActionExecuted("utter_remind"), BotUttered("Still there?"), LISTEN],
        [*HELLO, LISTEN, ActionExecuted("action_session_start"), SessionStarted(), LISTEN],
        [*HELLO, SessionStarted(), SlotSet("carried", 1)],
    ],
)
def test_events_of_others_in_a_turn_are_not_the_bots(recorded: list[Event]) -> None:
    answer = ["Hello", LISTEN] if LISTEN in recorded else ["Hello"]
    found, _ = replayed(recorded, *answer)
    assert (found.turns, found.divergences) == (1, ())


def test_a_bot_that_pauses_and_hands_over_itself_does_the_same() -> None:
    did = [ConversationPaused(), HandoverStarted("olga"), BotUttered("One moment")]
    found, _ = replayed([UserUttered("a person!"), *did], *did)
    assert (found.turns, found.divergences) == (1, ())
    named: list[Event] = [ConversationPaused(cause=1), BotUttered("One moment", cause=1)]
    found, _ = replayed([UserUttered("a person!"), *named], "One moment")
    assert [each.kind for each in found.divergences] == ["missing"]


def test_a_late_answer_belongs_to_the_message_that_it_names() -> None:
    async def bot(conversation: Any, message: UserUttered) -> list[str]:
        return [f"{message.text} {await conversation.call('clock')}"]

    with turnlog.open("memory:") as log:
        log.record("c", UserUttered("one"), UserUttered("two"))
        log.record("c", ToolCalled("clock", {}, "1", cause=1), ToolReturned(1, "1", cause=3))
        log.record("c", ToolCalled("clock", {}, "2", cause=2), ToolReturned(2, "2", cause=5))
        log.record("c", BotUttered("one 1", cause=1), BotUttered("two 2", cause=2))
        [found] = replay(log, ["c"], LoadedBot(bot))
    assert (found.turns, found.divergences) == (2, ())


def test_events_caused_by_a_tools_result_are_the_bots() -> None:
    async def bot(conversation: Any, message: UserUttered) -> list[str]:
        await conversation.call("clock")
        return ["one"]

    with turnlog.open("memory:") as log:
        log.record("c", UserUttered("time?"), ToolCalled("clock", {}, "1", cause=1))
        log.record("c", ToolReturned(1, "1", cause=2), SlotSet("hour", 1, cause=3))
        log.record("c", BotUttered("one", cause=1), SlotSet("by_the_shop", 1, actor="system"))
        [found] = replay(log, ["c"], LoadedBot(bot))
    assert [(each.kind, each.event) for each in found.divergences] == [("missing", 4)]


@pytest.mark.parametrize(
    ("before", "recorded", "actual"),
    [
        ([], [SlotSet("a", None)], []),
        ([], [], [SlotSet("a", None)]),
        ([SlotSet("a", 1)], [SlotSet("a", 1)], []),
        ([], [SlotSet("a", 1), SlotSet("a", 1)], [SlotSet("a", 1)]),
        ([], [SlotSet("a", [{"x": 1, "y": 2}])], [SlotSet("a", [{"y": 2, "x": 1}])]),
        ([], [SlotsReset()], []),
        ([], [], [LoopActivated(None)]),
        ([LoopActivated("form")], [LoopActivated("form")], []),
        ([ConversationPaused()], [], [ConversationPaused()]),
        ([], [MessageUnderstood(Intent("x"), (Entity("a", 1), Entity("b", 2)))],
         [MessageUnderstood(Intent("x"), (Entity("b", 2), Entity("a", 1)))]),
        ([], [ReminderScheduled("ask", "2026-01-01T10:00:00", name=str(uuid4()))],
         [ReminderScheduled("ask", "2026-01-01T10:00:01", name=str(uuid4()))]),
    ],
)  # fmt: skip
def test_an_event_that_changes_nothing_makes_no_difference(
    before: list[Event], recorded: list[Event], actual: list[Event]
) -> None:
    said = BotUttered("Hello")
    found, _ = replayed([*before, UserUttered("hello"), *recorded, said], *actual, said)
    assert (found.turns, found.divergences) == (1, ())


@pytest.mark.parametrize(
    ("before", "recorded", "actual", "kind"),
    [
        ([SlotSet("a", 1)], [SlotSet("a", None)], [], "missing"),
        ([SlotSet("a", 1)], [], [SlotSet("a", True)], "extra"),
        ([], [SlotSet("a", 1), SlotSet("a", 2)], [SlotSet("a", 2)], "missing"),
        ([SlotSet("a", 1)], [SlotsReset()], [], "missing"),
        ([], [MessageUnderstood(Intent("x"), (Entity("a", 1), Entity("a", 1)))],
         [MessageUnderstood(Intent("x"), (Entity("a", 1),))], "entity"),
        ([], [ReminderScheduled("ask", name="soon")], [ReminderScheduled("ask", name="late")],
         "action"),
    ],
)  # fmt: skip
def test_an_event_that_changes_something_makes_a_difference(
    before: list[Event], recorded: list[Event], actual: list[Event], kind: str
) -> None:
    said = BotUttered("Hello")
    found, _ = replayed([*before, UserUttered("hello"), *recorded, said], *actual, said)
    assert [each.kind for each in found.divergences] == [kind]


def test_very_many_calls_are_answered_in_linear_time() -> None:
    def seconds(count: int) -> float:
        async def bot(conversation: Any, message: UserUttered) -> list[str]:
            for number in range(count, 0, -1):
                await conversation.call("look", at=number)
            return ["done"]

        made: list[Event] = []
        for number in range(count):
            made += [ToolCalled("look", {"at": number}, f"{number}"), ToolReturned(0, f"{number}")]
        with turnlog.open("memory:") as log:
            log.import_dialogue(Dialogue("c", (UserUttered("go"), *made, BotUttered("done"))))
            began = time.process_time()
            [found] = replay(log, ["c"], LoadedBot(bot))
        assert [each.kind for each in found.divergences] == ["tool_arguments"]
        return time.process_time() - began

    seconds(100)
    assert seconds(4_000) < 20 * seconds(400) + 1  # 100 times as much if each looks at all


@pytest.mark.parametrize("actual", ["b", "a"], ids=["other names", "one name"])
def test_an_answer_of_very_many_differing_actions_is_compared_in_linear_time(actual: str) -> None:
    def seconds(count: int) -> float:
        recorded = [ActionExecuted(f"a{n}") for n in range(count)]
        answer = [ActionExecuted(f"{actual}{n + 1 if actual == 'a' else n}") for n in range(count)]
        began = time.process_time()
        found, _ = replayed([UserUttered("go"), *recorded], *answer)
        assert found.divergences
        return time.process_time() - began

    seconds(100)
    assert seconds(20_000) < 40 * seconds(1_000) + 1

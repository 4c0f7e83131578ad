"""Given a loaded bot, when it is asked, then its answer, its tools and its failures are events."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

import turnlog
from turnlog import BotFailed, BotUttered, SlotSet, ToolCalled, ToolReturned, UserUttered
from turnlog.bots import LiveConversation, LoadedBot, as_events, ask, booking, load
from turnlog.bots.remote import _messages
from turnlog.errors import BotError, ToolFailed, Unavailable
from turnlog.replay import replay as replayed


async def talk(loaded: LoadedBot, *texts: str) -> tuple[turnlog.Conversation, list[turnlog.Event]]:
    async with turnlog.AsyncTurnlog(turnlog.open("memory:", clock=lambda: 1000.0)) as log:
        for text in texts:
            recorded = await log.record("alice", UserUttered(text))
            here = await log.conversation("alice")
            cause = recorded.commits[-1].last_event
            live = LiveConversation(log, here, loaded, cause)
            answer = await ask(loaded.bot, live, UserUttered(text), timeout=5)
            if answer:
                await log.record("alice", *answer)
        conversation = await log.conversation("alice")
        return conversation, list(conversation.events())


def said(events: list[turnlog.Event]) -> list[str | None]:
    return [event.text for event in events if isinstance(event, BotUttered)]


BOOKING = load("turnlog.bots.booking:bot")


def test_the_booking_bot_fills_its_slots_and_books():
    texts = ["hi", "a table for two", "tomorrow at 7 pm", "Ada Lovelace"]
    conversation, events = asyncio.run(talk(BOOKING, *texts))
    assert conversation.slots == {
        "people": 2, "date": "tomorrow", "time": "19:00", "name": "Ada Lovelace",
    }  # fmt: skip
    assert said(events)[-1] == "A table for 2, tomorrow at 19:00, for Ada Lovelace?"
    conversation, events = asyncio.run(talk(BOOKING, *texts, "yes"))
    assert said(events)[-1] == "Booked: 2 people, tomorrow at 19:00. See you!"
    assert conversation.slots == {}


@pytest.mark.parametrize("named", [True, False])
def test_the_booking_bot_replays_without_a_divergence(tmp_path: Path, named: bool):
    """With and without events that name the message as their cause, as those of the live
    server do.
    """
    texts = ["hi", "for 9 tomorrow", "7 pm", "Ada", "four", "/deny", "at 20:00", "yes", "thanks"]

    async def record(url: str) -> None:
        async with turnlog.aopen(url) as log:
            for text in texts:
                recorded = await log.record("alice", UserUttered(text))
                cause = recorded.commits[-1].last_event
                live = LiveConversation(log, await log.conversation("alice"), BOOKING, cause)
                answer = await ask(BOOKING.bot, live, UserUttered(text))
                events = [replace(event, cause=cause) for event in answer] if named else answer
                await log.record("alice", *events)

    url = f"sqlite:///{tmp_path / 'log.db'}"
    asyncio.run(record(url))
    with turnlog.open(url) as log:
        assert log.conversation("alice").turn == len(texts)
        for jobs in (1, 2):
            [alice] = replayed(log, ["alice"], BOOKING, jobs=jobs)
            assert (alice.turns, alice.divergences) == (len(texts), ())


def test_the_booking_bot_takes_a_correction():
    texts = ["for 2, today at 19:30", "my name is Ada", "no, for 4"]
    conversation, events = asyncio.run(talk(BOOKING, *texts))
    assert conversation.slots["people"] == 4
    assert said(events)[-1] == "A table for 4, today at 19:30, for Ada?"


def test_the_booking_bot_forgets_everything_on_cancel():
    conversation, events = asyncio.run(talk(BOOKING, "for 2 today", "/cancel"))
    assert conversation.slots == {}
    assert said(events)[-1] == "All right, nothing is booked."


def test_the_booking_bot_asks_again_when_no_table_is_large_enough():
    conversation, events = asyncio.run(talk(BOOKING, "for 9, today at 19:30", "my name is Ada"))
    assert "people" not in conversation.slots
    assert said(events)[-1] == "For how many people?"


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("at 7 pm", {"time": "19:00"}),
        ("3 march", {"date": "3 march"}),
        ("table for 3 at 12:15", {"people": 3, "time": "12:15"}),
        ("next friday, noon", {"date": "next friday", "time": "12:00"}),
        ("what is this?", {}),
        ("99:99", {}),
    ],
)
def test_the_booking_bot_understands(text: str, slots: dict[str, Any]):
    understood = booking.understand(text, {})
    assert {entity.entity: entity.value for entity in understood.entities} == slots
    for entity in understood.entities:
        assert text[entity.start : entity.end]


def test_a_call_and_its_result_are_recorded_before_the_answer():
    _, events = asyncio.run(talk(BOOKING, "for 2, today at 19:30", "my name is Ada"))
    call = next(i for i, event in enumerate(events) if isinstance(event, ToolCalled))
    called, returned = events[call : call + 2]
    assert isinstance(called, ToolCalled)
    assert isinstance(returned, ToolReturned)
    assert called.arguments == {"people": 2, "date": "today", "time": "19:30"}
    assert returned.result == {"free": True, "table": 29}
    assert (returned.call_id, returned.cause) == (called.call_id, call + 1)


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit, KeyboardInterrupt])
def test_a_tool_that_raises_is_recorded_as_an_error_and_raises_in_the_bot(kind: Any):
    def broken() -> None:
        raise kind("no line")

    async def bot(conversation: Any, message: UserUttered) -> list[str]:
        try:
            await asyncio.gather(conversation.call("broken"))
        except ToolFailed as error:
            return [str(error)]
        return []

    _, events = asyncio.run(talk(LoadedBot(bot, {"broken": broken}), "hi"))
    assert isinstance(events[2], ToolReturned)
    assert events[2].is_error
    assert said(events) == [f"tool 'broken' failed: '{kind.__name__}: no line'"]


def test_a_bot_that_raises_or_hangs_has_failed():
    async def raises(conversation: Any, message: UserUttered) -> list[str]:
        raise ValueError("no")

    async def hangs(conversation: Any, message: UserUttered) -> list[str]:
        await asyncio.sleep(60)
        return []

    async def both() -> tuple[Any, Any]:
        here: Any = None
        message = UserUttered("hi")
        return await ask(raises, here, message), await ask(hangs, here, message, 0.01)

    raised, hung = asyncio.run(both())
    assert [replace(event, extra=None) for event in raised] == [
        BotFailed("error", "ValueError: no")
    ]
    trace = raised[0].extra["traceback"]
    assert trace.startswith("Traceback (most recent call last)")
    assert 'raise ValueError("no")' in trace
    assert hung == (BotFailed("timeout", "no answer within 0.01 s"),)


def test_strings_are_messages_and_nothing_is_silence():
    assert as_events(["hi", SlotSet("a", 1)]) == (BotUttered("hi"), SlotSet("a", 1))
    assert as_events("hi") == (BotUttered("hi"),)
    assert as_events(None) == ()


@pytest.mark.parametrize("answer", [[1], 7, [None]])
def test_an_answer_of_another_type_is_refused(answer: Any):
    with pytest.raises(BotError):
        as_events(answer)


def plain(conversation: Any, message: UserUttered) -> list[str]:
    return [f"{conversation.turn}: {message.text}"]


class Callable:
    tools: ClassVar[Any] = {}

    def __call__(self, conversation: Any, message: UserUttered) -> str:
        return "from an object"

    async def method(self, conversation: Any, message: UserUttered) -> list[str]:
        return ["from a method"]


HERE = "tests.unit.test_bots"
an_object, method = Callable(), Callable().method
partly = partial(lambda greeting, conversation, message: [greeting], "from a partial")
passing_on = lambda conversation, message: Callable().method(conversation, message)  # noqa: E731


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("plain", "1: hi"),
        ("an_object", "from an object"),
        ("method", "from a method"),
        ("partly", "from a partial"),
        ("passing_on", "from a method"),
    ],
)
def test_a_plain_function_is_a_bot(name: str, answer: str):
    _, events = asyncio.run(talk(load(f"{HERE}:{name}"), "hi"))
    assert said(events) == [answer]


def test_a_plain_bot_that_sleeps_delays_only_its_own_answer():
    def sleeps(conversation: Any, message: UserUttered) -> list[str]:
        released.wait(30)
        return []

    async def both() -> tuple[Any, Any]:
        late = asyncio.create_task(ask(sleeps, here, UserUttered("hi"), 0.2))
        return await ask(answers, here, UserUttered("hi")), await late

    async def answers(conversation: Any, message: UserUttered) -> list[str]:
        return ["at once"]

    here: Any = None
    released = threading.Event()
    answered, late = asyncio.run(both())
    released.set()
    assert answered == (BotUttered("at once"),)
    assert late == (BotFailed("timeout", "no answer within 0.2 s"),)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    "error",
    [StopIteration(), SystemExit(3), KeyboardInterrupt(), Unspeakable(), ValueError("\ud800")],
)
@pytest.mark.parametrize("kind", ["plain", "async", "stream"])
def test_every_exception_of_a_bot_is_recorded_as_its_failure(error: Any, kind: str):
    def bot(conversation: Any, message: UserUttered) -> list[str]:
        raise error

    async def waited(conversation: Any, message: UserUttered) -> list[str]:
        raise error

    async def yields(conversation: Any, message: UserUttered) -> AsyncIterator[str]:
        yield "well"
        raise error

    loaded: Any = LoadedBot({"plain": bot, "async": waited, "stream": yields}[kind])
    _, events = asyncio.run(talk(loaded, "hi"))
    assert isinstance(events[-1], BotFailed)
    assert "raise error" in events[-1].extra["traceback"]


lists_tools = Callable()
lists_tools.tools = [print]


def takes_one(message: UserUttered) -> list[str]:
    return []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("takes_one", "is called with"),
        ("Callable", "is a class"),
        ("HERE", "is a str"),
        ("lists_tools", "`tools` must be a dict"),
    ],
)
def test_an_object_that_is_not_a_bot_is_refused_when_loaded(name: str, why: str):
    with pytest.raises(BotError, match=why) as refused:
        load(f"{HERE}:{name}")
    assert f"{HERE}:{name}" in str(refused.value)


@pytest.mark.parametrize(
    "source", ["1 +", "1 / 0", "import sys; sys.exit(1)", "import nothing_here"]
)
def test_a_module_that_fails_is_named(tmp_path: Path, monkeypatch: Any, source: str):
    (tmp_path / "failing_module.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "failing_module", raising=False)
    with pytest.raises(BotError, match="failing_module:bot"):
        load("failing_module:bot")


@pytest.mark.parametrize(
    "name", ["booking", "no_such_module:bot", "turnlog.bots.booking:missing", "math:pi", ":x"]
)
def test_a_name_without_a_bot_is_refused(name: str):
    with pytest.raises(BotError):
        load(name)


async def test_a_bot_that_is_asked_again_gets_the_results_of_the_calls_it_made():
    ran: list[Any] = []
    wanted: list[Any] = []

    def note(what: Any) -> int:
        ran.append(what)
        return len(ran)

    async def bot(conversation: Any, message: UserUttered) -> list[str]:
        found = [await conversation.call("note", what=what) for what in wanted]
        return [str(found)]

    loaded = LoadedBot(bot, {"note": note})
    async with turnlog.AsyncTurnlog(turnlog.open("memory:")) as log:
        await log.record("alice", UserUttered("hi"))
        answers = []
        for asked in ([("a",), {"b": (1, 2)}], [("a",), {"b": (1, 2)}, "c"], ["other", "c"]):
            wanted[:] = asked
            live = LiveConversation(log, await log.conversation("alice"), loaded, 1)
            answers += await ask(loaded.bot, live, UserUttered("hi"))
        events = await log.read_events("alice")
    assert [answer.text for answer in answers] == ["[1, 2]", "[1, 2, 3]", "[4, 3]"]
    assert len(ran) == 4
    assert sum(isinstance(event, ToolCalled) for event in events) == 4
    ids = [event.call_id for event in events if isinstance(event, ToolCalled)]
    assert len(set(ids)) == 4


async def test_parallel_calls_run_once_each_in_any_order_of_repetition():
    ran: list[int] = []
    wanted: list[int] = []

    async def double(of: int) -> int:
        await asyncio.sleep(0.001 * of)
        ran.append(of)
        return len(ran)

    async def bot(conversation: Any, message: UserUttered) -> list[str]:
        calls = (conversation.call("double", of=of) for of in wanted)
        return [str(await asyncio.gather(*calls))]

    loaded = LoadedBot(bot, {"double": double})
    async with turnlog.AsyncTurnlog(turnlog.open("memory:")) as log:
        await log.record("alice", UserUttered("hi"))
        answers = []
        for asked in ([3, 1, 1, 2], [1, 2, 3, 1], [1, 1, 1, 2, 3]):
            wanted[:] = asked
            live = LiveConversation(log, await log.conversation("alice"), loaded, 1)
            [answer] = await ask(loaded.bot, live, UserUttered("hi"))
            answers.append(json.loads(answer.text))
        events = await log.read_events("alice")
    assert sorted(ran) == [1, 1, 1, 2, 3]
    assert len({event.call_id for event in events if isinstance(event, ToolCalled)}) == 5
    first, second, third = answers
    assert sorted(first) == sorted(second) == [1, 2, 3, 4]
    assert (second[1], second[2]) == (first[3], first[0])
    assert third == [first[1], first[2], 5, first[3], first[0]]


async def test_an_unreachable_log_is_not_the_bots_failure(monkeypatch: Any):
    async def bot(conversation: Any, message: UserUttered) -> list[str]:
        return [str(await conversation.call("note"))]

    async with turnlog.AsyncTurnlog(turnlog.open("memory:")) as log:
        await log.record("alice", UserUttered("hi"))
        live = LiveConversation(
            log, await log.conversation("alice"), LoadedBot(bot, {"note": lambda: 1}), 1
        )
        monkeypatch.setattr(log, "record", away)
        with pytest.raises(Unavailable):
            await ask(bot, live, UserUttered("hi"))


async def away(*_: Any, **__: Any) -> None:
    raise Unavailable("away")


def test_a_number_in_a_webhook_answer_becomes_a_text():
    answer = b'[{"text": 5}, {"text": 0.5}, {"text": "5"}, {"text": true, "image": "x"}]'
    assert [event.text for event in _messages(answer)] == ["5", "0.5", "5", None]


async def test_parallel_waits_for_the_log_count_once(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr("turnlog.bots.live.time.monotonic", lambda: now[0])
    async with turnlog.AsyncTurnlog(turnlog.open("memory:")) as log:
        await log.record("alice", UserUttered("hi"))
        live = LiveConversation(log, await log.conversation("alice"), BOOKING, 1)
    with live._waiting():
        now[0] = 1.0
        with live._waiting():
            now[0] = 3.0
        assert live.waited == 3.0
        now[0] = 4.0
    now[0] = 9.0
    assert live.waited == 4.0

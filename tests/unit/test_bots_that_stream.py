"""Given a bot that yields, when it is asked, then each piece is durable before it continues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

import turnlog
from turnlog import (
    BotFailed,
    BotUttered,
    Chunk,
    Event,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserUttered,
)
from turnlog.bots import LiveConversation, LoadedBot, ask, load
from turnlog.bots.keys import piece_key
from turnlog.errors import BotError, Unavailable

HERE = "tests.unit.test_bots_that_stream"

Bot = Callable[[Any, UserUttered], Any]


class Watching:
    """What readers are shown."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def preview(self, text: str, first: bool, after: int) -> None:
        self.seen.append((text, first, after))

    async def kept(self, events: Any) -> None:
        self.seen += events


class Talk:
    """One message and its answer, in a log in memory."""

    def __init__(self, log: turnlog.AsyncTurnlog, bot: Bot, **tools: Any) -> None:
        self.log = log
        self.loaded = LoadedBot(bot, tools)
        self.watching = Watching()

    async def ask(self) -> tuple[Event, ...]:
        """The events left to record when the bot is asked again with what it said before."""
        here = await self.log.conversation("alice", event=1)
        known = []
        while (piece := self.log.sync.keyed("alice", piece_key(1, len(known) + 1))) is not None:
            known.append(piece)
        self.live = LiveConversation(
            self.log, here, self.loaded, 1, known=known, audience=self.watching
        )
        message = UserUttered("hi")
        return await ask(self.loaded.bot, self.live, message, 5, self.live.answer)

    @property
    def events(self) -> list[Event]:
        return list(self.log.sync.conversation("alice").events())

    @property
    def said(self) -> list[Any]:
        return [event.text for event in self.events if isinstance(event, BotUttered)]


def talking(bot: Bot, check: Callable[[Talk], Any], **tools: Any) -> None:
    async def run() -> None:
        async with turnlog.AsyncTurnlog(turnlog.open("memory:")) as log:
            await log.record("alice", UserUttered("hi"))
            await check(Talk(log, bot, **tools))

    asyncio.run(run())


def test_each_piece_is_durable_before_the_bot_continues():
    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        yield SlotSet("a", 1)
        assert conversation.slots == {"a": 1}
        yield "whole"
        yield Chunk("in ")
        assert [e.text for e in conversation.events() if isinstance(e, BotUttered)] == ["whole"]
        yield Chunk("pieces")
        yield BotUttered("next")
        said = [e.text for e in conversation.events() if isinstance(e, BotUttered)]
        assert said == ["whole", "in pieces", "next"]
        yield Chunk("last")

    async def check(talk: Talk) -> None:
        assert await talk.ask() == ()
        assert talk.said == ["whole", "in pieces", "next"]
        rest = await talk.live.answer.close()
        assert rest == BotUttered("last")
        assert all(event.cause == 1 for event in talk.events[1:])
        previews = [seen for seen in talk.watching.seen if isinstance(seen, tuple)]
        assert previews == [("in ", True, 3), ("pieces", False, 3), ("last", True, 5)]

    talking(bot, check)


def test_a_message_with_the_text_of_the_chunks_before_it_completes_them():
    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        yield Chunk("which ")
        yield Chunk("day?")
        yield BotUttered("which day?", {"buttons": [{"title": "today"}]})
        yield Chunk("a")
        yield "a"

    async def check(talk: Talk) -> None:
        await talk.ask()
        assert talk.said == ["which day?", "a", "a"]
        assert talk.events[1].data == {"buttons": [{"title": "today"}]}

    talking(bot, check)


def test_a_plain_generator_streams_from_a_thread():
    def bot(conversation: Any, message: UserUttered) -> Iterator[Any]:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        yield Chunk("a")
        yield Chunk("b")
        yield "c"

    async def check(talk: Talk) -> None:
        await talk.ask()
        assert talk.said == ["ab", "c"]
        assert [s[0] for s in talk.watching.seen if isinstance(s, tuple)] == ["a", "b"]

    talking(bot, check)


def test_a_call_ends_the_message_before_it():
    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        yield Chunk("Let me look. ")
        yield Chunk(await conversation.call("table"))

    async def check(talk: Talk) -> None:
        await talk.ask()
        assert [type(event) for event in talk.events] == [
            UserUttered, BotUttered, ToolCalled, ToolReturned,
        ]  # fmt: skip
        assert await talk.live.answer.close() == BotUttered("free")

    talking(bot, check, table=lambda: "free")


def test_a_bot_that_fails_keeps_its_messages_and_the_one_begun():
    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        yield "one"
        yield Chunk("tw")
        raise ValueError("no")

    async def check(talk: Talk) -> None:
        [failed] = await talk.ask()
        assert isinstance(failed, BotFailed)
        assert talk.said == ["one"]
        assert await talk.live.answer.close() == BotUttered("tw")

    talking(bot, check)


@pytest.mark.parametrize("piece", [5, Chunk(5), ["a", "b"], None])  # type: ignore[arg-type]
def test_a_piece_of_another_type_fails(piece: Any):
    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        yield piece

    async def check(talk: Talk) -> None:
        [failed] = await talk.ask()
        assert isinstance(failed, BotFailed)
        assert "BotError" in (failed.detail or "")

    talking(bot, check)


@pytest.mark.parametrize(
    ("chunk", "why"),
    [("\ud800", "lone surrogate"), ("x" * 999_000, "more than 999,000 bytes")],
)
def test_a_chunk_too_large_for_a_message_fails_and_earlier_ones_are_kept(chunk: str, why: str):
    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        yield Chunk("before")
        yield Chunk(chunk)

    async def check(talk: Talk) -> None:
        [failed] = await talk.ask()
        assert isinstance(failed, BotFailed)
        assert why in (failed.detail or "")
        assert talk.watching.seen == [("before", True, 1)]
        rest = await talk.live.answer.close()
        assert rest == BotUttered("before")
        await talk.log.record("alice", rest)

    talking(bot, check)


def test_a_message_of_chunks_may_be_as_long_as_its_event():
    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        for text in ("ab", "cd"):
            yield Chunk(text[0] * 499_500)
            yield Chunk(text[1] * 499_500)
            yield "next"

    async def check(talk: Talk) -> None:
        assert await talk.ask() == ()
        assert [len(text) for text in talk.said] == [999_000, 4, 999_000, 4]

    talking(bot, check)


def test_a_repeated_run_says_and_calls_nothing_twice():
    """The model chooses other words each time, but the bot sees the conversation as it was then."""
    asked: list[list[str]] = []
    ran: list[int] = []
    dies_after = 0

    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        asked.append([type(event).__name__ for event in conversation.events()])
        round = len(asked)
        pieces = (f"look {round}", SlotSet("a", 1), None, f"found {round}", "bye")
        for step, piece in enumerate(pieces):
            if step == dies_after:
                raise Unavailable("the log is away")
            if piece is None:
                assert conversation.slots == {"a": 1}
                assert await conversation.call("count") == 1
            elif piece == "bye":
                yield piece
            else:
                yield Chunk(piece) if isinstance(piece, str) else piece

    def count() -> int:
        ran.append(1)
        return len(ran)

    async def check(talk: Talk) -> None:
        nonlocal dies_after
        for dies_after in range(7):
            if dies_after < 5:
                with pytest.raises(Unavailable):
                    await talk.ask()
            else:
                assert await talk.ask() == ()
                assert await talk.live.answer.close() is None
        assert all(kinds == ["UserUttered"] for kinds in asked)
        assert ran == [1]
        assert [type(event).__name__ for event in talk.events] == [
            "UserUttered", "BotUttered", "SlotSet", "ToolCalled", "ToolReturned", "BotUttered",
            "BotUttered",
        ]  # fmt: skip
        assert talk.said == ["look 3", "found 6", "bye"]

    talking(bot, check, count=count)


def test_a_repeated_run_that_differs_records_what_is_new():
    slot = "a"

    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        yield "same"
        yield SlotSet(slot, 1)
        yield "end"

    async def check(talk: Talk) -> None:
        nonlocal slot
        await talk.ask()
        slot = "b"
        await talk.ask()
        assert talk.log.sync.conversation("alice").slots == {"a": 1, "b": 1}
        assert talk.said == ["same", "end", "end"]

    talking(bot, check)


def test_a_bot_that_continues_after_its_answer_was_broken_off_is_ignored():
    ended = asyncio.Event()

    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        yield "before"
        await ended.wait()
        with pytest.raises(BotError, match="has ended"):
            await conversation.call("anything")
        yield "after"

    async def check(talk: Talk) -> None:
        asking = asyncio.create_task(talk.ask())
        while talk.said != ["before"]:
            await asyncio.sleep(0.001)
        await talk.live.answer.close()
        ended.set()
        [failed] = await asking
        assert "continued after its answer had ended" in failed.detail
        assert talk.said == ["before"]
        assert len(talk.events) == 2

    talking(bot, check)


CLOSED: list[str] = []


async def closing(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
    try:
        yield 5
    finally:
        CLOSED.append("closed")


class Iterating:
    """A driver of one's own."""

    def __init__(self, conversation: Any, message: UserUttered) -> None:
        self.left = ["a", "b"]

    def __aiter__(self) -> Iterating:
        return self

    async def __anext__(self) -> str:
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop(0)

    async def aclose(self) -> None:
        CLOSED.append("closed")


@pytest.mark.parametrize("bot", [closing, Iterating])
def test_the_iterator_is_closed(bot: Bot):
    CLOSED.clear()

    async def check(talk: Talk) -> None:
        await talk.ask()
        assert CLOSED == ["closed"]

    talking(bot, check)


async def yields(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
    yield "a"


def yields_too(conversation: Any, message: UserUttered) -> Iterator[Any]:
    yield "a"


class Yielding:
    async def __call__(self, conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        yield "a"


yielding = Yielding()
yields_partly = partial(yields)


@pytest.mark.parametrize("name", ["yields", "yields_too", "yielding", "yields_partly"])
def test_every_callable_that_yields_is_loaded_and_asked(name: str):
    async def check(talk: Talk) -> None:
        talk.loaded = load(f"{HERE}:{name}")
        assert await talk.ask() == ()
        assert talk.said == ["a"]

    talking(yields, check)

"""One view for bots: its members are the same while a bot runs live and in a replay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

import turnlog
from turnlog import BotUttered, Chunk, Event, SlotSet, UserUttered
from turnlog.bots import BotConversation, LiveConversation, LoadedBot, ask
from turnlog.replay import replay

NOW = 1000.0


async def tool(conversation: BotConversation) -> Any:
    return await conversation.call("price", item="tea")


async def drawn(conversation: BotConversation) -> Any:
    return [conversation.random.random() for _ in range(3)]


async def ids(conversation: BotConversation) -> Any:
    return [conversation.new_id(), conversation.new_id()]


def listed(name: str) -> Callable[[BotConversation], Any]:
    async def look(conversation: BotConversation) -> Any:
        return list(getattr(conversation, name)())

    return look


def value(name: str) -> Callable[[BotConversation], Any]:
    async def look(conversation: BotConversation) -> Any:
        return getattr(conversation, name)

    return look


async def recorded(conversation: BotConversation) -> Any:
    """Without what only the log knows of stored events: their times and positions."""
    envelopes = conversation.recorded()
    return [replace(each, version=0, position=None, recorded=0.0) for each in envelopes]


async def for_model(conversation: BotConversation) -> Any:
    return list(conversation.messages(for_model=True))


LOOKS: dict[str, list[Callable[[BotConversation], Any]]] = {
    "id": [value("id")],
    "slots": [value("slots")],
    "turn": [value("turn")],
    "state": [value("state")],
    "now": [value("now")],
    "events": [listed("events")],
    "recorded": [recorded],
    "messages": [listed("messages"), for_model],
    "call": [tool],
    "random": [drawn],
    "new_id": [ids],
}
"""How a bot uses each member of the view."""


def public(view: type) -> set[str]:
    return {name for name in dir(view) if not name.startswith("_")}


def test_each_member_of_the_view_is_covered():
    assert public(BotConversation) == set(LOOKS)


class Looking:
    """A bot that looks, says something, calls its tool, and looks again. seen: what it saw."""

    tools = {"price": lambda item: 3}  # noqa: RUF012

    def __init__(self, look: Callable[[BotConversation], Any], streams: bool) -> None:
        self._look = look
        self._streams = streams
        self.seen: list[Any] = []

    def __call__(self, conversation: BotConversation, message: UserUttered) -> Any:
        return (self._pieces if self._streams else self._answer)(conversation)

    async def _answer(self, conversation: BotConversation) -> list[Event | str]:
        await self._look_now(conversation)
        cost = await conversation.call("price", item=f"cake {conversation.turn}")
        await self._look_now(conversation)
        return [SlotSet("cost", cost + conversation.turn), "That is it."]

    async def _pieces(self, conversation: BotConversation) -> Any:
        await self._look_now(conversation)
        yield SlotSet("seen", conversation.turn)
        yield Chunk("one ")
        yield Chunk("moment")
        cost = await conversation.call("price", item=f"cake {conversation.turn}")
        await self._look_now(conversation)
        yield BotUttered(f"That is {cost}.")
        await self._look_now(conversation)

    async def _look_now(self, conversation: BotConversation) -> None:
        self.seen.append(await self._look(conversation))


def live(log: turnlog.Turnlog, id: str, bot: Looking, *texts: str) -> list[Any]:
    """What a bot sees as it answers and is recorded."""

    async def run() -> None:
        here = turnlog.AsyncTurnlog(log)
        for text in texts:
            cause = (await here.record(id, UserUttered(text))).commits[-1].last_event
            loaded = LoadedBot(bot, bot.tools)
            view = LiveConversation(here, await here.conversation(id), loaded, cause)
            answer = await ask(bot, view, UserUttered(text), hearer=view.answer)
            await view.answer.end_message()
            await here.record(id, *[replace(event, cause=cause) for event in answer])

    asyncio.run(run())
    seen, bot.seen = bot.seen, []
    return seen


def again(log: turnlog.Turnlog, id: str, bot: Looking) -> list[Any]:
    """What the bot sees in a replay."""
    list(replay(log, [id], LoadedBot(bot, bot.tools)))
    seen, bot.seen = bot.seen, []
    return seen


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("look", [look for looks in LOOKS.values() for look in looks])
def test_the_view_is_the_same_live_and_in_replay(look: Callable[..., Any], streams: bool):
    with turnlog.open("memory:", clock=lambda: NOW) as log:
        bot = Looking(look, streams)
        seen = live(log, "anna", bot, "tea", "and cake", "thanks")
        assert len(seen) == (9 if streams else 6)
        assert again(log, "anna", bot) == seen


# --- random numbers -----------------------------------------------------------------------------


Draw = Callable[[BotConversation], Any]


def draws(log: turnlog.Turnlog, id: str, draw: Draw) -> list[Any]:
    """The random numbers that a replayed bot draws at each message."""
    drawn: list[Any] = []

    async def bot(conversation: BotConversation, message: UserUttered) -> str:
        drawn.append(draw(conversation))
        return "?"

    list(replay(log, [id], LoadedBot(bot)))
    return drawn


def first_ids(log: turnlog.Turnlog, id: str) -> list[str]:
    return draws(log, id, lambda conversation: conversation.new_id())


@pytest.fixture
def log():
    with turnlog.open("memory:", clock=lambda: NOW) as opened:
        yield opened


def said(log: turnlog.Turnlog, id: str, *texts: str) -> None:
    log.record(id, *[event for text in texts for event in (UserUttered(text), BotUttered("?"))])


def test_random_numbers_are_the_same_in_every_process_and_version(log: turnlog.Turnlog):
    said(log, "anna", "tea")
    assert first_ids(log, "anna") == ["0f78ee5e-9043-408d-8fb3-92f034b56402"]
    assert draws(log, "anna", lambda conversation: conversation.random.randrange(1_000)) == [525]


def test_random_numbers_differ_by_conversation_message_and_life_and_not_by_text(
    log: turnlog.Turnlog,
):
    said(log, "anna", "tea", "tea")
    said(log, "bert", "tea")
    before = [*first_ids(log, "anna"), *first_ids(log, "bert")]
    assert len(set(before)) == 3
    log.delete("anna")
    said(log, "anna", "tea")
    assert not {*first_ids(log, "anna")} & {*before}
    log.delete("bert")
    said(log, "other", "cake")
    assert first_ids(log, "other") != first_ids(log, "anna")


def test_a_fork_shares_the_random_numbers_of_its_past_and_then_has_its_own(log: turnlog.Turnlog):
    said(log, "anna", "tea", "cake", "thanks")
    log.fork("anna", as_="other", turn=2)
    log.fork("other", as_="third", turn=1)
    said(log, "other", "thanks")
    said(log, "third", "thanks")
    anna, other, third = (first_ids(log, id) for id in ("anna", "other", "third"))
    assert other[:2] == anna[:2]
    assert third[:1] == anna[:1]
    assert len({anna[2], other[2], third[1]}) == 3


def test_ids_do_not_depend_on_how_many_random_numbers_are_drawn(log: turnlog.Turnlog):
    def both(conversation: BotConversation) -> Any:
        conversation.random.random()
        return conversation.new_id()

    said(log, "anna", "tea")
    assert draws(log, "anna", both) == first_ids(log, "anna")

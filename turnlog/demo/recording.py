"""The demo's conversations, recorded as a server would record them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

import turnlog
from turnlog.bots import LiveConversation, LoadedBot, ask
from turnlog.bots.booking import bot, tools
from turnlog.demo.conversations import DAY, MONDAY, SCRIPTS, Step, said
from turnlog.domain.events import BotUttered, UserUttered
from turnlog.engine.aio import AsyncTurnlog
from turnlog.errors import TurnlogError
from turnlog.storage.shown_url import without_password

CONVERSATIONS = tuple(SCRIPTS)
"""Their ids, oldest first."""

SECONDS_A_STEP = 7.0

_BOT = LoadedBot(bot, tools, "turnlog.bots.booking:bot")


def fill(url: str) -> None:
    """Records the conversations into an empty log, always with the same events and times.

    Does nothing if they exist already. Raises TurnlogError for a log with other conversations.
    """
    with turnlog.open(url) as log:
        there = set(log.ids())
    if there.issuperset(CONVERSATIONS):
        return
    if there:
        raise TurnlogError(
            f"{without_password(url)} contains other conversations; the demo needs an empty log"
        )
    asyncio.run(_record(url))


@dataclass
class _Clock:
    """A clock that moves only when it is set."""

    now: float = MONDAY

    def __call__(self) -> float:
        return self.now


async def _record(url: str) -> None:
    clock = _Clock()
    async with turnlog.aopen(url, clock=clock) as log:
        for day, (conversation, steps) in enumerate(SCRIPTS.items()):
            clock.now = MONDAY + day * DAY
            for step in steps:
                await _take(log, conversation, step)
                clock.now += SECONDS_A_STEP


async def _take(log: AsyncTurnlog, conversation: str, step: Step) -> None:
    if isinstance(step, str):
        await _answered(log, conversation, said(step))
    else:
        await log.record(conversation, *step(*await _last_messages(log, conversation)))


async def _answered(log: AsyncTurnlog, conversation: str, message: UserUttered) -> None:
    number = (await log.record(conversation, message)).commits[-1].last_event
    here = LiveConversation(log, await log.conversation(conversation), _BOT, number)
    answer = await ask(_BOT.bot, here, message)
    caused = [msgspec.structs.replace(event, cause=number) for event in answer]
    await log.record(conversation, *caused)


async def _last_messages(log: AsyncTurnlog, conversation: str) -> tuple[int, int]:
    """Event numbers of the guest's last message and of the last answer."""
    events = await log.read_recorded(conversation)
    asked = max(each.number for each in events if isinstance(each.event, UserUttered))
    return asked, max(each.number for each in events if isinstance(each.event, BotUttered))

"""What a bot is: a conversation and a message in, events out.

    async def bot(conversation, message):
        if "people" not in conversation.slots:
            return ["For how many people?"]
        free = await conversation.call("check_table", people=conversation.slots["people"])
        return [ActionExecuted("action_offer"), BotUttered("Shall I book it?")]

`message` is the UserUttered that was just recorded. What the bot understood of it, it returns as a
MessageUnderstood.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from turnlog.bots.conversation import BotConversation
from turnlog.domain.events import BotFailed, BotUttered, Event, UserUttered
from turnlog.errors import BotError

Tool = Callable[..., Any]
"""A function, plain or async, that a bot may call by name with keyword arguments."""

Answer = Iterable["Event | str"]
"""Events, oldest first; a string is a message of the bot."""


class Bot(Protocol):
    async def __call__(
        self, conversation: BotConversation, message: UserUttered, /
    ) -> Iterable[Event | str]: ...


@dataclass(frozen=True, slots=True)
class LoadedBot:
    """A bot with the tools it may call, by name, and the name it was asked for."""

    bot: Bot
    tools: Mapping[str, Tool] = field(default_factory=dict)
    name: str = "bot"


def load(name: str) -> LoadedBot:
    """The bot of a name `module:attr`, its module found on the path or in this folder.

    Its tools are its own attribute `tools`, or else its module's: a dict of names to functions.
    Raises BotError, saying what is wrong.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise BotError(f"{name!r} names no bot: it takes module:attr")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        module = import_module(module_name)
        bot: Any = module
        for part in attribute.split("."):
            bot = getattr(bot, part)
    except (ImportError, AttributeError) as error:
        raise BotError(f"bot {name!r} cannot be loaded: {error}") from error
    if not callable(bot):
        raise BotError(f"bot {name!r} is a {type(bot).__name__}, which cannot be called")
    loaded: Any = bot
    return LoadedBot(loaded, getattr(bot, "tools", None) or getattr(module, "tools", {}), name)


def as_events(answer: Answer | Event | None) -> tuple[Event, ...]:
    """A bot's answer as events: a string becomes a BotUttered, None is silence.

    Raises BotError for anything that is neither.
    """
    if answer is None:
        return ()
    parts: Iterable[object] = [answer] if isinstance(answer, str | Event) else answer
    try:
        return tuple(_as_event(part) for part in parts)
    except TypeError as error:
        raise BotError(f"a bot answers with events and strings, not {answer!r:.80}") from error


def _as_event(part: object) -> Event:
    if isinstance(part, str):
        return BotUttered(part)
    if isinstance(part, Event):
        return part
    raise BotError(f"a bot answers with events and strings, not {part!r:.80}")


async def ask(
    bot: Bot, conversation: BotConversation, message: UserUttered, timeout: float | None = None
) -> tuple[Event, ...]:
    """The bot's answer as events; one BotFailed where it raises or takes too long.

    timeout: seconds; None waits for ever. A bot that blocks the event loop is not stopped by it.
    """
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return as_events(await bot(conversation, message))
    except TimeoutError as error:
        if limit.expired():
            return (BotFailed("timeout", f"no answer within {timeout:g} s"),)
        return (_failure(error),)
    except Exception as error:
        return (_failure(error),)


def _failure(error: Exception) -> BotFailed:
    return BotFailed("error", f"{type(error).__name__}: {error}")

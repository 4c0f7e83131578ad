"""What a bot is: a conversation and a message in, events out.

    async def bot(conversation, message):
        if "people" not in conversation.slots:
            return ["For how many people?"]
        free = await conversation.call("check_table", people=conversation.slots["people"])
        return [ActionExecuted("action_offer"), BotUttered("Shall I book it?")]

A plain function works too; it runs in a thread, and has no tools to call. One that yields does not.
`message` is the UserUttered that was just recorded. What the bot understood of it, it returns as a
MessageUnderstood.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from turnlog.bots.conversation import BotConversation
from turnlog.domain.events import BotFailed, BotUttered, Event, UserUttered
from turnlog.errors import BotError, Unavailable

Tool = Callable[..., Any]
"""A function, plain or async, that a bot may call by name with keyword arguments."""

Answer = Iterable["Event | str"]
"""Events, oldest first; a string is a message of the bot."""

TRACEBACK_CHARACTERS = 8_000
"""Of a bot that raises, the last of them."""


class Bot(Protocol):
    """An async function; a plain one of the same shape, which cannot call tools, works too."""

    async def __call__(
        self, conversation: BotConversation, message: UserUttered, /
    ) -> Iterable[Event | str]: ...


@dataclass(frozen=True, slots=True)
class LoadedBot:
    """A bot with the tools it may call, by name, and the name it was asked for."""

    bot: Bot
    tools: Mapping[str, Tool] = field(default_factory=dict)
    name: str = "bot"


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

    A plain function runs in a thread of its own. timeout: seconds; None waits for ever. An async
    bot that blocks the event loop is not stopped by it. Raises Unavailable where the bot could
    not read or write the log, which is not its failure.
    """
    limit = asyncio.timeout(timeout)
    try:
        async with limit:
            return as_events(await _answer(bot, conversation, message))
    except TimeoutError as error:
        if limit.expired():
            return (BotFailed("timeout", f"no answer within {timeout:g} s"),)
        return (bot_failed(error),)
    except Unavailable:
        raise
    except (Exception, SystemExit) as error:
        return (bot_failed(error),)


async def _answer(bot: Any, conversation: BotConversation, message: UserUttered) -> Any:
    if inspect.iscoroutinefunction(bot) or inspect.iscoroutinefunction(type(bot).__call__):
        return await bot(conversation, message)
    answer, error = await _in_thread(lambda: bot(conversation, message))
    if error is not None:
        raise error
    return await answer if inspect.isawaitable(answer) else answer


async def _in_thread(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """What the work returned, and what it raised; nobody waits at exit for one that hangs."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def finish(outcome: tuple[Any, BaseException | None]) -> None:
        if not done.done():
            done.set_result(outcome)

    def run() -> None:
        try:
            outcome: tuple[Any, BaseException | None] = (work(), None)
        except BaseException as error:
            outcome = (None, error)
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(finish, outcome)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name="turnlog-bot", daemon=True).start()
    return await done


def bot_failed(error: BaseException) -> BotFailed:
    """A failure with its traceback in `extra`."""
    trace = "".join(traceback.format_exception(error))
    if len(trace) > TRACEBACK_CHARACTERS:
        trace = f"…{trace[-TRACEBACK_CHARACTERS:]}"
    try:
        detail = f"{type(error).__name__}: {error}"
    except Exception:
        detail = type(error).__name__
    return BotFailed("error", _holdable(detail), extra={"traceback": _holdable(trace)})


def _holdable(text: str) -> str:
    """The text, what is no Unicode in it escaped."""
    return text.encode(errors="backslashreplace").decode()

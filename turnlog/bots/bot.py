"""The protocol of a bot: a conversation and a message in, events out.

    async def bot(conversation, message):
        if "people" not in conversation.slots:
            return ["For how many people?"]
        free = await conversation.call("check_table", people=conversation.slots["people"])
        return [ActionExecuted("action_offer"), BotUttered("Shall I book it?")]

A bot that yields streams its answer: each item is recorded immediately, and `Chunk(text)` is a
piece of a message that readers see at once.

    async def bot(conversation, message):
        async for text in model(conversation.messages(for_model=True)):
            yield Chunk(text)

A plain function works, too. It runs in a thread and cannot call tools. `message` is the UserUttered
that was just recorded. The bot returns what it understood of it as a MessageUnderstood.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import traceback
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from turnlog.bots.chunk import Chunk
from turnlog.bots.conversation import BotConversation
from turnlog.bots.streaming import Collected, Hearer, drive, threaded
from turnlog.bots.threads import in_thread
from turnlog.domain.events import BotFailed, BotUttered, Event, UserUttered
from turnlog.errors import BotError, Unavailable

Tool = Callable[..., Any]
"""A function, plain or async, that a bot can call by name with keyword arguments."""

Answer = Iterable["Event | str"]
"""Events, oldest first; a string is a message of the bot."""

Pieces = AsyncIterable["Event | str | Chunk"]
"""What a bot yields, in order."""

RAISED = (Exception, SystemExit, KeyboardInterrupt)
"""Exceptions that count as a failure of the bot or tool that raises them."""

TRACEBACK_CHARACTERS = 8_000
"""The length of a failed bot's traceback, counted from its end."""


class Bot(Protocol):
    """An async function or async generator. A plain function works, too, but cannot call tools."""

    def __call__(
        self, conversation: BotConversation, message: UserUttered, /
    ) -> Awaitable[Answer | Event | str | Pieces | None] | Pieces: ...


@dataclass(frozen=True, slots=True)
class LoadedBot:
    """A bot with the tools that it may call, by name, and the name under which it was loaded.

    remembers: the bot keeps the past itself, by the conversation's id, and does not receive it.
    """

    bot: Bot
    tools: Mapping[str, Tool] = field(default_factory=dict)
    name: str = "bot"

    @property
    def version(self) -> str | None:
        """The value of `version` or `__version__` of the bot, else of its module."""
        module = sys.modules.get(self.name.partition(":")[0])
        for holder in (self.bot, module):
            for name in ("version", "__version__"):
                if isinstance(version := getattr(holder, name, None), str | int | float):
                    return str(version)
        return None

    remembers: bool = False


async def run_tool(loaded: LoadedBot, tool: str, arguments: dict[str, Any]) -> tuple[Any, bool]:
    """The tool's result and False, or what went wrong and True."""
    function = loaded.tools.get(tool)
    if function is None:
        return f"{loaded.name} has no tool {tool!r}", True
    try:
        result = function(**arguments)
        return (await result if inspect.isawaitable(result) else result), False
    except RAISED as error:
        return f"{type(error).__name__}: {error}", True


def as_events(answer: Answer | Event | None) -> tuple[Event, ...]:
    """A bot's answer as events: a string becomes a BotUttered, None is silence.

    Raises BotError for anything that is not an event or string.
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
    bot: Bot,
    conversation: BotConversation,
    message: UserUttered,
    timeout: float | None = None,
    hearer: Hearer | None = None,
    failure: Callable[[BaseException], BotFailed] | None = None,
) -> tuple[Event, ...]:
    """The bot's answer as events; one BotFailed if the bot raises or takes too long.

    A plain function runs in its own thread. timeout: seconds; None waits forever. It does not stop
    an async bot that blocks the event loop. hearer: receives what a bot yields, which is then not
    returned. failure: makes the event of an exception that the bot raised. Raises Unavailable if
    the bot could not read or write the log, which does not count as its failure.
    """
    failure = failure or bot_failed
    limit = asyncio.timeout(timeout)
    collected = Collected()
    try:
        async with limit:
            answer = await _answer(bot, conversation, message)
            if not isinstance(answer, AsyncIterable):
                return as_events(answer)
            await drive(answer, hearer or collected, _as_event)
            failed = None
    except TimeoutError as error:
        over = BotFailed("timeout", f"no answer within {timeout:g} s")
        failed = over if limit.expired() else failure(error)
    except Unavailable:
        raise
    except asyncio.CancelledError as error:
        if _is_cancelled():
            raise
        failed = failure(error)  # something that the bot awaited was cancelled
    except RAISED as error:
        failed = failure(error)
    await collected.end_message()
    return (*collected.events, failed) if failed else tuple(collected.events)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def _answer(bot: Any, conversation: BotConversation, message: UserUttered) -> Any:
    if _is(inspect.iscoroutinefunction, bot):
        return await bot(conversation, message)
    if _is(inspect.isasyncgenfunction, bot):
        return bot(conversation, message)
    answer, error = await in_thread(lambda: bot(conversation, message))
    if error is not None:
        raise error
    if inspect.isawaitable(answer):
        return await answer
    return threaded(answer) if isinstance(answer, Iterator) else answer


def _is(kind: Callable[[Any], bool], bot: Any) -> bool:
    return kind(bot) or kind(type(bot).__call__)


def bot_failed(error: BaseException) -> BotFailed:
    """The event of a failure, with its traceback in `extra`."""
    trace = "".join(traceback.format_exception(error))
    if len(trace) > TRACEBACK_CHARACTERS:
        trace = f"…{trace[-TRACEBACK_CHARACTERS:]}"
    try:
        detail = f"{type(error).__name__}: {error}"
    except Exception:
        detail = type(error).__name__
    return BotFailed("error", _holdable(detail), extra={"traceback": _holdable(trace)})


def _holdable(text: str) -> str:
    """The text with surrogates escaped."""
    return text.encode(errors="backslashreplace").decode()

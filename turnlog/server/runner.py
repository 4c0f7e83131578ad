"""Asks the bot: the user's message is durable before, the answer before anybody sees it."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import msgspec

from turnlog import AsyncTurnlog
from turnlog.bots import LiveConversation, LoadedBot, ask
from turnlog.domain.events import BotFailed, Event, UserUttered
from turnlog.engine.command import recording
from turnlog.engine.locks import KeyedLocks
from turnlog.engine.request import Command, Recorded
from turnlog.errors import (
    ConversationError,
    InvalidEvent,
    StorageError,
    TurnlogError,
    UnknownConversation,
)
from turnlog.server.locks import ConversationLocks
from turnlog.server.message_guard import MessageGuard
from turnlog.server.metrics import Metrics
from turnlog.server.patience import Patience, bot_answer
from turnlog.server.pending_message import (
    PendingMessage,
    message_number,
    pending_message,
    unanswered,
)
from turnlog.server.settings import Settings

if TYPE_CHECKING:
    from turnlog.server.answer_leases import AnswerLeases

logger = logging.getLogger(__name__)

Done = TypeVar("Done")
Arguments = ParamSpec("Arguments")

FRESH_SECONDS = 1.0
LEASE_PAUSE_SECONDS = 0.5
"""How long a message may be without a lease by the server that took it; between looks for one."""

SILENCES_KEPT = 10_000
"""Conversations of which is kept that the bot had nothing to say to the last message."""

CHANNELS = ("socketio", "rest", "chat")


class Receipt(msgspec.Struct, frozen=True):
    """A user's message is durable as event `event`; `answer` yields what the bot recorded."""

    event: int
    new: bool
    answer: asyncio.Task[Sequence[Event]]


class Runner:
    """thinking: told when the bot begins and ends to work on a conversation."""

    def __init__(
        self,
        log: AsyncTurnlog,
        bot: LoadedBot | None,
        locks: ConversationLocks,
        guard: MessageGuard,
        settings: Settings,
        metrics: Metrics,
        leases: AnswerLeases | None = None,
    ) -> None:
        self._log = log
        self._bot = bot
        self._locks = locks
        self._guard = guard
        self._settings = settings
        self._metrics = metrics
        self._leases = leases
        self._patience = Patience(settings.limits.patience)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._owed: set[str] = set()
        self._asked: set[str] = set()
        self._keeping = KeyedLocks()
        self._silent: OrderedDict[str, int] = OrderedDict()
        self._waiting: set[asyncio.Task[Any]] = set()
        self.thinking: Callable[[str, bool], Awaitable[None]] | None = None

    async def receive(self, conversation: str, message: UserUttered) -> Receipt:
        """Record a user's message and have it answered; durable when this returns.

        The same message id again is the same message: answered now if it was not before.
        """
        self._guard.check(conversation, message)
        await self._locks.enter(conversation)
        try:
            with self._metrics.recording.time():
                recorded = await self._patience.in_time(self._log.record(conversation, message))
        except BaseException:
            self._locks.release(conversation)
            raise
        channel = message.channel if message.channel in CHANNELS else "other"
        self._metrics.messages.labels(channel).inc()
        number = message_number(recorded)
        task = self._start(self._answer(conversation, number))
        return Receipt(number, recorded.new, task)

    async def resume(self, conversation: str) -> None:
        """Have the last message answered if a server died before it could be."""
        if self._bot is None or self._locks.busy(conversation) or conversation in self._owed:
            return
        self._owed.add(conversation)
        task = asyncio.create_task(self._resume(conversation))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _resume(self, conversation: str) -> None:
        try:
            lease = await self._taken(conversation)
            await self._locks.enter(conversation)
            answering = self._start(self._answer(conversation, None))
            if self._leases is not None and lease is not None:
                leases, taken = self._leases, lease
                answering.add_done_callback(lambda _: leases.release(taken))
        except TurnlogError as error:
            logger.warning("conversation %r: what it is owed waits: %s", conversation, error)
        finally:
            self._owed.discard(conversation)

    async def _taken(self, conversation: str) -> str | None:
        """Wait until no other server can still be at the answer; the lease on it, if it has one."""
        state = (await self._log.conversation(conversation)).state
        number = unanswered(state)
        if self._leases is None or number is None:
            return None
        await asyncio.sleep(FRESH_SECONDS)  # for whoever took the message to take the lease
        lease = _lease(conversation, number)
        until = (state.last or 0.0) + self._settings.bot_timeout
        while not await self._leases.take(lease):
            if self._log.sync.clock() >= until:
                return None
            await asyncio.sleep(LEASE_PAUSE_SECONDS)
        return lease

    def _holding(self, pending: PendingMessage) -> AbstractAsyncContextManager[None]:
        """No other server works on the answer meanwhile."""
        if self._leases is None:
            return nullcontext()
        return self._leases.held(_lease(pending.conversation.id, pending.number))

    # --- recording what is not answered ---------------------------------------------------------

    async def hear(
        self, conversation: str, message: UserUttered, command: Command | None = None
    ) -> Recorded:
        """Record a user's message without an answer; command: asks for it in other events."""
        self._guard.check(conversation, message)
        command = command or recording([message])
        return await self.perform(conversation, command, key=message.message_id)

    async def record(self, conversation: str, *events: Event, key: str | None = None) -> Recorded:
        """Record events as they are, in order with what else goes on; nobody is asked."""
        return await self._in_order(
            conversation, lambda: self._log.record(conversation, *events, key=key)
        )

    async def perform(
        self, conversation: str, command: Command, *, key: str | None = None
    ) -> Recorded:
        """Record what a command asks for, in order with what else goes on."""
        return await self._in_order(
            conversation, lambda: self._log.perform(conversation, command, key=key)
        )

    async def keep(
        self,
        conversation: str,
        save: Callable[Arguments, Awaitable[Done]],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Done:
        """Save session values by `save(*arguments)`, in order with what else goes on.

        While the bot is asked they are saved at once: they may be its own, and it would wait for
        itself.
        """
        if conversation not in self._asked:
            return await self._in_order(conversation, lambda: save(*arguments, **named))
        async with self._keeping.of(conversation):
            return await self._patience.in_time(save(*arguments, **named))

    async def _in_order(self, conversation: str, write: Callable[[], Awaitable[Done]]) -> Done:
        async with self._locks.of(conversation):
            return await self._patience.in_time(write())

    # --- ending ---------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Wait for the answers under way."""
        self._patience.ending = True
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, answering: Any) -> asyncio.Task[Any]:
        task = asyncio.create_task(answering)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- answering ------------------------------------------------------------------------------

    async def _answer(self, conversation: str, number: int | None) -> Sequence[Event]:
        """What the bot answered to the message of that event (None: the last), now or before."""
        try:
            return await self._answered(conversation, number)
        except UnknownConversation:
            return ()
        except (ConversationError, StorageError) as error:
            logger.error("conversation %r: its answer is not recorded: %s", conversation, error)
            return ()
        finally:
            self._locks.release(conversation)

    async def _answered(self, conversation: str, number: int | None) -> Sequence[Event]:
        if self._bot is None:
            return ()
        pending = await self._patience.insist(lambda: self._pending(conversation, number))
        if pending is None:
            return ()
        if pending.answer is not None:
            return pending.answer
        if self._silent.get(conversation) == pending.number:
            return ()
        async with self._holding(pending):
            return await self._new_answer(self._bot, pending)

    async def _new_answer(self, bot: LoadedBot, pending: PendingMessage) -> Sequence[Event]:
        events = await self._patience.insist(lambda: self._ask(bot, pending))
        if not events:
            self._note_silence(pending.conversation.id, pending.number)
            return ()
        return await self._record_answer(pending, events)

    async def _pending(self, conversation: str, number: int | None) -> PendingMessage | None:
        return await self._patience.in_time(
            self._log.read(lambda log: pending_message(log, conversation, number))
        )

    def _note_silence(self, conversation: str, number: int) -> None:
        """The bot is not asked again; where too many were silent since, it may be."""
        self._silent[conversation] = number
        self._silent.move_to_end(conversation)
        if len(self._silent) > SILENCES_KEPT:
            self._silent.popitem(last=False)

    async def _record_answer(
        self, pending: PendingMessage, events: Sequence[Event]
    ) -> Sequence[Event]:
        """What was recorded: the answer, or that the log cannot hold it."""
        try:
            return (await self._patience.insist(lambda: self._record_once(pending, events))).events
        except InvalidEvent as error:
            failed = self._noted(pending, [BotFailed("error", f"InvalidEvent: {error}")])
            return (await self._patience.insist(lambda: self._record_once(pending, failed))).events

    async def _record_once(self, pending: PendingMessage, events: Sequence[Event]) -> Recorded:
        number = pending.number
        caused = [e if e.cause else msgspec.structs.replace(e, cause=number) for e in events]
        return await self._patience.in_time(
            self._log.record(pending.conversation.id, *caused, key=pending.answer_key)
        )

    async def _ask(self, bot: LoadedBot, pending: PendingMessage) -> Sequence[Event]:
        """The bot's events, or the failure to be recorded."""
        insist = self._patience.insist_in_time
        view = LiveConversation(self._log, pending.conversation, bot, pending.number, insist)
        asking = ask(bot.bot, view, pending.message)
        self._asked.add(view.id)
        await self._tell(view.id, True)
        try:
            with self._metrics.answering.time():
                return self._noted(
                    pending, await bot_answer(asking, self._settings.bot_timeout, view)
                )
        finally:
            self._asked.discard(view.id)
            await self._tell(view.id, False)

    def _noted(self, pending: PendingMessage, events: Sequence[Event]) -> Sequence[Event]:
        """The events, their failures counted and logged."""
        for event in events:
            if isinstance(event, BotFailed):
                self._metrics.bot_failures.labels(event.kind).inc()
                logger.error(
                    "conversation %r: the bot failed: %s",
                    pending.conversation.id,
                    event.kind,
                    extra={"exception": (event.extra or {}).get("traceback")},
                )
        return events

    async def _tell(self, conversation: str, thinking: bool) -> None:
        if self.thinking is not None:
            await self.thinking(conversation, thinking)


def _lease(conversation: str, number: int) -> str:
    return f"{number} of {conversation}"

"""Asks the bot. The message is durable before it, and the answer before anyone sees it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import msgspec

from turnlog import AsyncTurnlog
from turnlog.bots import LoadedBot
from turnlog.domain.events import Event, UserUttered
from turnlog.engine.locks import KeyedLocks
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Command, Recorded
from turnlog.errors import (
    ConversationError,
    StorageError,
    TurnlogError,
    UnknownConversation,
)
from turnlog.server.answering import Answering, lease
from turnlog.server.audience import Listener, Tell
from turnlog.server.locks import ConversationLocks
from turnlog.server.message_guard import MessageGuard
from turnlog.server.metrics import Metrics
from turnlog.server.patience import Patience
from turnlog.server.pending_message import message_number, unanswered
from turnlog.server.settings import Settings

if TYPE_CHECKING:
    from turnlog.server.answer_leases import AnswerLeases

logger = logging.getLogger(__name__)

Done = TypeVar("Done")
Arguments = ParamSpec("Arguments")

ENDING_SECONDS = 30.0
"""Seconds for answers in progress when the server ends."""

FRESH_SECONDS = 1.0
LEASE_PAUSE_SECONDS = 0.5
"""Seconds that a message may lack a lease by the server that took it; between checks for one."""

CHANNELS = ("socketio", "rest", "chat")


class Receipt(msgspec.Struct, frozen=True):
    """A user's message, durable as event `event`. `answer` yields what the bot recorded.

    event: 0 for a message of a deleted life, which opens nothing and has no answer.
    """

    event: int
    new: bool
    answer: asyncio.Task[Sequence[Event]]


class Runner:
    """tell: sends notes to readers."""

    def __init__(
        self,
        log: AsyncTurnlog,
        bot: LoadedBot | None,
        locks: ConversationLocks,
        guard: MessageGuard,
        settings: Settings,
        metrics: Metrics,
        tell: Tell,
        leases: AnswerLeases | None = None,
    ) -> None:
        self._log = log
        self._locks = locks
        self._guard = guard
        self._settings = settings
        self._metrics = metrics
        self._leases = leases
        self._patience = Patience(settings.limits.patience)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._answers: dict[str, asyncio.Task[Any]] = {}
        self._owed: set[str] = set()
        self._keeping = KeyedLocks()
        self._waiting: set[asyncio.Task[Any]] = set()
        self._answering = (
            Answering(log, bot, self._patience, settings, metrics, tell, leases) if bot else None
        )

    async def receive(
        self, conversation: str, message: UserUttered, listener: Listener | None = None
    ) -> Receipt:
        """Records a user's message and has it answered. The message is durable when this returns.

        The same message id again is the same message, which is answered now if it was not before.
        listener: receives the answer as it comes.
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
        task = self._start(conversation, self._answer(conversation, number, listener))
        return Receipt(number, recorded.new, task)

    async def resume(self, conversation: str) -> None:
        """Has the last message answered if a server died before answering it."""
        if self._answering is None or self._locks.busy(conversation) or conversation in self._owed:
            return
        self._owed.add(conversation)
        task = asyncio.create_task(self._resume(conversation))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _resume(self, conversation: str) -> None:
        try:
            taken = await self._taken(conversation)
            await self._locks.enter(conversation)
            answering = self._start(conversation, self._answer(conversation, None))
            if self._leases is not None and taken is not None:
                leases, name = self._leases, taken
                answering.add_done_callback(lambda _: leases.release(name))
        except TurnlogError as error:
            logger.warning(
                "conversation %r: cannot answer its last message yet: %s", conversation, error
            )
        finally:
            self._owed.discard(conversation)

    async def _taken(self, conversation: str) -> str | None:
        """Waits until no other server can still be answering. Gives the lease, if any."""
        owed = await self._log.read(lambda log: _owed(log, conversation))
        if self._leases is None or owed is None:
            return None
        await asyncio.sleep(FRESH_SECONDS)  # the server with the message may yet take the lease
        number, last = owed
        wanted = lease(conversation, number)
        until = last + self._settings.bot_timeout
        while not await self._leases.take(wanted):
            if self._log.sync.clock() >= until:
                return None
            await asyncio.sleep(LEASE_PAUSE_SECONDS)
        return wanted

    # --- recording what is not answered ---------------------------------------------------------

    async def hear(
        self, conversation: str, message: UserUttered, command: Command | None = None
    ) -> Recorded:
        """Records a user's message without an answer. command: decides the events to record."""
        self._guard.check(conversation, message)
        if command is None:
            return await self.record(conversation, message)
        return await self.perform(conversation, command)

    async def record(self, conversation: str, *events: Event, key: str | None = None) -> Recorded:
        """Records events as they are, in order with other work. No bot is asked."""
        return await self._in_order(
            conversation, lambda: self._log.record(conversation, *events, key=key)
        )

    async def perform(
        self, conversation: str, command: Command, *, key: str | None = None
    ) -> Recorded:
        """Records what a command decides, in order with other work."""
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
        """Saves session values by `save(*arguments)`, in order with other work.

        While the bot answers they are saved immediately: the bot itself may be saving them, and
        would wait for itself.
        """
        if self._answering is None or conversation not in self._answering.asked:
            return await self._in_order(conversation, lambda: save(*arguments, **named))
        async with self._keeping.of(conversation):
            return await self._patience.in_time(save(*arguments, **named))

    async def _in_order(self, conversation: str, write: Callable[[], Awaitable[Done]]) -> Done:
        async with self._locks.of(conversation):
            return await self._patience.in_time(write())

    # --- ending ---------------------------------------------------------------------------------

    async def finish(self) -> None:
        """Waits for the answers in progress. One that takes longer stays owed, as after a crash."""
        self._patience.ending = True
        for task in self._waiting:
            task.cancel()
        late = (await asyncio.wait(self._tasks, timeout=ENDING_SECONDS))[1] if self._tasks else ()
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _start(self, conversation: str, answering: Any) -> asyncio.Task[Any]:
        task = self._answers[conversation] = asyncio.create_task(answering)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, conversation))
        return task

    def _ended(self, conversation: str, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if self._answers.get(conversation) is task:
            del self._answers[conversation]

    # --- answering ------------------------------------------------------------------------------

    async def stop(self, conversation: str) -> bool:
        """Stops the answer in progress here; its text so far is durable when this returns.

        False if no answer is in progress here.
        """
        answering = self._answers.get(conversation)
        if self._answering is None or answering is None or not self._answering.stop(conversation):
            return False
        await asyncio.wait({answering})
        return True

    async def _answer(
        self, conversation: str, number: int | None, listener: Listener | None = None
    ) -> Sequence[Event]:
        """The bot's answer to the message of that event (None: the last), new or stored."""
        if self._answering is None or number == 0:
            self._locks.release(conversation)
            return ()
        try:
            return await self._answering.answer(conversation, number, listener)
        except UnknownConversation:
            return ()
        except (ConversationError, StorageError) as error:
            logger.error("conversation %r: cannot record its answer: %s", conversation, error)
            return ()
        finally:
            self._locks.release(conversation)


def _owed(log: Turnlog, id: str) -> tuple[int, float] | None:
    """The number of the unanswered message, and the time of the conversation's last event."""
    conversation = log.conversation(id)
    number = unanswered(log, conversation)
    return None if number is None else (number, conversation.state.last or 0.0)

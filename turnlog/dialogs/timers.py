"""Durable timers: deadlines are stored in the log, and any running process finds overdue ones.

A prompt is armed as long as the log says so. The write transaction decides whether it timed out, so
only one of several processes records the timeout.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Protocol

from msgspec.structs import replace

from turnlog.bots.bot import bot_failed
from turnlog.bots.conversation import BotConversation
from turnlog.dialogs.conversation import DialogConversation
from turnlog.dialogs.deadlines import DeadlineIndex
from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.history import History
from turnlog.domain.state import Prompt, State
from turnlog.encoding import binary
from turnlog.engine.aio import AsyncTurnlog
from turnlog.engine.log import Turnlog
from turnlog.errors import UnknownConversation
from turnlog.projections.due_prompts import DUE, TIMER, DuePromptsProjection, take
from turnlog.projections.projection import catch_up, commits
from turnlog.storage.subscription import BATCH_COMMITS, Subscription

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""The longest time between two looks at the clock and the log, in seconds."""

PROMPTS_AT_ONCE = 256
"""How many prompts are handled concurrently, and so share commits."""

DELIVERY_SECONDS = 30.0
"""Seconds that another process has for a delivery. A start waits for no other process."""

Deliver = Callable[[str, int, e.BotUttered], Awaitable[Any]]
Lock = Callable[[str], AbstractAsyncContextManager[None]]
View = Callable[[Conversation], BotConversation]


class TimedDialog(Protocol):
    """What a timer needs of a dialog."""

    async def timed_out(
        self, conversation: BotConversation, token: str, prompt: Prompt
    ) -> Iterable[e.Event]:
        """The events that follow a prompt without an answer in time."""
        ...


class RepeatingDialog:
    """The default after a timeout: the question again, and after the last attempt the end."""

    async def timed_out(
        self, conversation: BotConversation, token: str, prompt: Prompt
    ) -> Iterable[e.Event]:
        """The question again, or the end of the thread as abandoned."""
        if prompt.attempt >= prompt.attempts or prompt.wait is None:
            return [e.ThreadEnded(reason="abandoned")]
        again = e.PromptArmed(
            token=f"{token}+", due=conversation.now + prompt.wait, attempt=prompt.attempt + 1,
            text=prompt.text, wait=prompt.wait, attempts=prompt.attempts,
        )  # fmt: skip
        return [e.BotUttered(prompt.text), again]


class Timers:
    """Fires the deadlines of a log's prompts.

    lock: locks a conversation; messages must use the same lock. view: what the dialog sees of a
    conversation. deliver: sends a message (conversation, event number, message) and returns a
    receipt. A message without a recorded delivery is sent again after a restart, under the same
    message id. Without deliver, messages are recorded for followers.
    """

    def __init__(
        self,
        log: AsyncTurnlog,
        dialog: TimedDialog,
        *,
        lock: Lock | None = None,
        view: View | None = None,
        deliver: Deliver | None = None,
    ) -> None:
        self._log = log
        self._dialog = dialog
        self._lock: Any = lock or (lambda conversation: nullcontext())
        self._view = view or (lambda conversation: DialogConversation(conversation, log.sync.clock))
        self._deliver = deliver
        self._index = DeadlineIndex()
        self._subscription: Subscription | None = None
        self._started = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Timers]:
        """Fires deadlines while the block runs."""
        task = asyncio.create_task(self.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def run(self) -> None:
        """Fires deadlines until cancelled. After a failure it tries again."""
        while True:
            try:
                await self.fire_due()
                pause = min(LOOK_SECONDS, max(0.0, self._index.next_due() - self._log.sync.clock()))
            except Exception:
                logger.exception("timers failed; trying again")
                pause = LOOK_SECONDS
            await asyncio.sleep(max(pause, 0.005))

    async def fire_due(self) -> int:
        """Fires what is due now; the number of timeouts recorded here."""
        await self._log.read(self._follow)
        await self._deliver_again()
        fired = 0
        while prompts := self._index.take_due(self._log.sync.clock(), PROMPTS_AT_ONCE):
            done = await asyncio.gather(*(self._fire(*prompt) for prompt in prompts))
            fired += sum(done)
        return fired

    # --- the index ------------------------------------------------------------------------------

    def _follow(self, log: Turnlog) -> None:
        """Brings the index up to the end of the log."""
        subscription = self._subscription = self._subscription or self._loaded(log)
        while rows := subscription.read():
            for commit in commits(rows, DuePromptsProjection(), log.store.reader):
                take(commit, self._index)
            if len(rows) == BATCH_COMMITS:
                catch_up(log.store, [DuePromptsProjection()])

    def _loaded(self, log: Turnlog) -> Subscription:
        """Fills the index from the read model; the subscription that continues it."""
        catch_up(log.store, [DuePromptsProjection()])
        checkpoint = log.store.reader.checkpoint(DuePromptsProjection.name)
        for conversation, key, value in log.store.reader.entries(DuePromptsProjection.name):
            if conversation:  # entries without one are the projection's own
                self._index.put(conversation, key, binary.decode(value))
        if checkpoint is None:
            return Subscription(log.store)
        return Subscription(log.store, checkpoint.position, checkpoint.digest)

    # --- firing ---------------------------------------------------------------------------------

    async def _fire(self, conversation: str, token: str) -> bool:
        try:
            async with self._lock(conversation):
                return await self._time_out(conversation, token)
        except UnknownConversation:
            return False
        except Exception:
            logger.exception("conversation %r: its timer failed; trying again", conversation)
            self._index.put(conversation, DUE + token, self._log.sync.clock() + LOOK_SECONDS)
            return False

    async def _time_out(self, conversation: str, token: str) -> bool:
        """Records the timeout and what follows it in one commit; False if it was answered."""
        now = await self._log.conversation(conversation)
        thread = now.state.thread
        prompt = thread.prompts.get(token) if thread is not None else None
        if prompt is None or prompt.due is None:
            return False
        if prompt.due > self._log.sync.clock():
            self._index.put(conversation, DUE + token, prompt.due)
            return False
        following = self._named(token, await self._following(now, token, prompt))
        recorded = await self._log.perform(conversation, _if_armed(token, following))
        for commit in recorded.commits:
            for sent in commit.recorded_events():
                if isinstance(sent.event, e.BotUttered):
                    await self._send(conversation, sent.number, sent.event)
        return bool(recorded.commits)

    async def _following(
        self, conversation: Conversation, token: str, prompt: Prompt
    ) -> Iterable[e.Event]:
        """The dialog's answer; a BotFailed if it raises, so that the timer still ends."""
        try:
            return await self._dialog.timed_out(self._view(conversation), token, prompt)
        except Exception as error:
            logger.exception("conversation %r: its timeout failed", conversation.id)
            return [bot_failed(error)]

    def _named(self, token: str, events: Iterable[e.Event]) -> list[e.Event]:
        """Gives messages ids that stay the same however often they are sent."""
        actor = TIMER if self._deliver is not None else None
        named: list[e.Event] = []
        for number, event in enumerate(events):
            if isinstance(event, e.BotUttered):
                event = replace(event, message_id=f"timeout-{token}-{number}", actor=actor)
            named.append(event)
        return named

    # --- delivering -----------------------------------------------------------------------------

    async def _deliver_again(self) -> None:
        if self._deliver is None:
            return
        before = self._log.sync.clock() - DELIVERY_SECONDS if self._started else float("inf")
        self._started = True
        for conversation, number in self._index.take_undelivered(before):
            events = await self._log.read_events(conversation, number - 1)
            if isinstance(message := events[0], e.BotUttered):
                await self._send(conversation, number, message)

    async def _send(self, conversation: str, number: int, message: e.BotUttered) -> None:
        if self._deliver is None:
            return
        self._index.sending.add((conversation, number))
        try:
            receipt = await self._deliver(conversation, number, message)
            outcome: e.Event = e.DeliverySucceeded(message=number, receipt=receipt)
        except Exception as error:
            outcome = e.DeliveryFailed(message=number, reason=f"{type(error).__name__}: {error}")
        await self._log.record(conversation, outcome)


def _if_armed(token: str, following: list[e.Event]) -> Callable[[State, History], list[e.Event]]:
    def command(state: State, history: History) -> list[e.Event]:
        if state.thread is None or token not in state.thread.prompts:
            return []
        cause = state.event + 1
        return [e.PromptTimedOut(token=token), *(replace(f, cause=cause) for f in following)]

    return command

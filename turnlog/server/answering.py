"""Asks the bot for the answer to a message and records it, whole or piece by piece."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING

import msgspec

from turnlog import AsyncTurnlog
from turnlog.bots import LiveConversation, LoadedBot, ask
from turnlog.domain.events import AnswerBrokenOff, AnswerEnded, BotFailed, Event
from turnlog.engine.request import Recorded
from turnlog.errors import InvalidEvent
from turnlog.server.audience import AnswerAudience, Listener, Tell
from turnlog.server.metrics import Metrics
from turnlog.server.notes import Typing
from turnlog.server.patience import STOPPED, Outcome, Patience, bot_answer
from turnlog.server.pending_message import PendingMessage, pending_message
from turnlog.server.settings import Settings

if TYPE_CHECKING:
    from turnlog.server.answer_leases import AnswerLeases

logger = logging.getLogger(__name__)

SILENCES_KEPT = 10_000
"""Conversations for which the server remembers that the bot had no answer to the last message."""


class Answering:
    """The answers of one bot. tell: sends notes to readers. asked: where the bot is at work."""

    def __init__(
        self,
        log: AsyncTurnlog,
        bot: LoadedBot,
        patience: Patience,
        settings: Settings,
        metrics: Metrics,
        tell: Tell,
        leases: AnswerLeases | None = None,
    ) -> None:
        self._log = log
        self._bot = bot
        self._patience = patience
        self._settings = settings
        self._metrics = metrics
        self._tell = tell
        self._leases = leases
        self._silent: OrderedDict[str, int] = OrderedDict()
        self._stops: dict[str, asyncio.Event] = {}
        self.asked: set[str] = set()

    async def answer(
        self, conversation: str, number: int | None, listener: Listener | None = None
    ) -> Sequence[Event]:
        """The bot's answer to the message of that event (None: the last), new or stored."""
        pending = await self._patience.insist(lambda: self._pending(conversation, number))
        if pending is None:
            return ()
        if pending.answer is not None:
            if listener is not None:
                listener.said(pending.answer)
            return pending.answer
        if self._silent.get(conversation) == pending.number:
            return ()
        async with self._holding(pending):
            return await self._new_answer(pending, listener)

    def stop(self, conversation: str) -> bool:
        """Stops the answer in progress. False if none is."""
        stop = self._stops.get(conversation)
        if stop is not None:
            stop.set()
        return stop is not None

    async def _pending(self, conversation: str, number: int | None) -> PendingMessage | None:
        return await self._patience.in_time(
            self._log.read(lambda log: pending_message(log, conversation, number))
        )

    def _holding(self, pending: PendingMessage) -> AbstractAsyncContextManager[None]:
        """Ensures that no other server works on the answer meanwhile."""
        if self._leases is None:
            return nullcontext()
        return self._leases.held(lease(pending.conversation.id, pending.number))

    def _note_silence(self, conversation: str, number: int) -> None:
        """Remembers not to ask the bot again, until many other answers were silent."""
        self._silent[conversation] = number
        self._silent.move_to_end(conversation)
        if len(self._silent) > SILENCES_KEPT:
            self._silent.popitem(last=False)

    # --- asking ---------------------------------------------------------------------------------

    async def _new_answer(
        self, pending: PendingMessage, listener: Listener | None
    ) -> Sequence[Event]:
        id, last = pending.conversation.id, pending.number
        audience = AnswerAudience(id, self._tell, listener)
        stop = self._stops[id] = asyncio.Event()
        await self._tell(id, last, Typing(True))
        try:
            view, outcome = await self._asked_until_answered(pending, audience, stop)
            last = await self._end(pending, view, outcome, audience)
        finally:
            del self._stops[id]
            await self._tell(id, last, Typing(False))
        return audience.events

    async def _asked_until_answered(
        self, pending: PendingMessage, audience: AnswerAudience, stop: asyncio.Event
    ) -> tuple[LiveConversation, Outcome]:
        """If the bot could not read the log, asks it again, with what it said meanwhile."""
        views: list[LiveConversation] = []

        async def attempt() -> Outcome:
            now: PendingMessage | None = pending
            if views:
                await views[-1].answer.close()
                now = await self._pending(pending.conversation.id, pending.number)
            views.append(self._view(now or pending, audience))
            return await self._ask(views[-1], pending, stop)

        outcome = await self._patience.insist(attempt)
        return views[-1], outcome

    def _view(self, pending: PendingMessage, audience: AnswerAudience) -> LiveConversation:
        return LiveConversation(
            self._log, pending.conversation, self._bot, pending.number,
            self._patience.insist_in_time, pending.pieces, audience,
        )  # fmt: skip

    async def _ask(
        self, view: LiveConversation, pending: PendingMessage, stop: asyncio.Event
    ) -> Outcome:
        asking = ask(self._bot.bot, view, pending.message, hearer=view.answer)
        self.asked.add(view.id)
        try:
            with self._metrics.answering.time():
                return await bot_answer(asking, view, self._settings, stop)
        finally:
            self.asked.discard(view.id)

    # --- recording ------------------------------------------------------------------------------

    async def _end(
        self,
        pending: PendingMessage,
        view: LiveConversation,
        outcome: Outcome,
        audience: AnswerAudience,
    ) -> int:
        """Records the rest of the answer and its end. Gives the number of the last event."""
        begun = await view.answer.close()
        ending = _Ending(outcome, streams=view.answer.streams)
        events = [*([] if begun is None else [begun]), *ending.events()]
        if not events:
            self._note_silence(view.id, pending.number)
            return pending.number
        self._count_failures(view.id, events)
        recorded = await self._record(pending, events, ending)
        await audience.kept(recorded.events)
        return recorded.commits[-1].last_event

    async def _record(
        self, pending: PendingMessage, events: Sequence[Event], ending: _Ending
    ) -> Recorded:
        """Records the answer, or the reason why the log cannot store it."""
        try:
            return await self._patience.insist(lambda: self._record_once(pending, events))
        except InvalidEvent as error:
            failed = list(ending.failed(BotFailed("error", f"InvalidEvent: {error}")))
            self._count_failures(pending.conversation.id, failed)
            return await self._patience.insist(lambda: self._record_once(pending, failed))

    async def _record_once(self, pending: PendingMessage, events: Sequence[Event]) -> Recorded:
        number = pending.number
        caused = [e if e.cause else msgspec.structs.replace(e, cause=number) for e in events]
        return await self._patience.in_time(
            self._log.record(pending.conversation.id, *caused, key=pending.answer_key)
        )

    def _count_failures(self, conversation: str, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, BotFailed):
                self._metrics.bot_failures.labels(event.kind).inc()
                logger.error(
                    "conversation %r: the bot failed: %s",
                    conversation,
                    event.kind,
                    extra={"exception": (event.extra or {}).get("traceback")},
                )


class _Ending(msgspec.Struct):
    """The events that end an answer. streams: whether it came piece by piece."""

    outcome: Outcome
    streams: bool

    def events(self) -> Iterator[Event]:
        broken = self.outcome.broken
        if broken is not None and (self.streams or broken == STOPPED):
            yield AnswerBrokenOff(reason=broken)
        yield from self.outcome.events
        if self.streams:
            yield AnswerEnded()

    def failed(self, failure: BotFailed) -> Iterator[Event]:
        if self.streams:
            yield AnswerBrokenOff(reason="error")
        yield failure
        if self.streams:
            yield AnswerEnded()


def lease(conversation: str, number: int) -> str:
    """The name of the lease on the answer to a message."""
    return f"{number} of {conversation}"

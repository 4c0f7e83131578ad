"""An answer that streams into the log: each piece is durable before the bot continues (ADR 16)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol, get_args

from msgspec.structs import replace

from turnlog.bots.keys import piece_key
from turnlog.bots.streaming import Draft
from turnlog.domain.commit import Commit
from turnlog.domain.events import AnswerMeasured, BotUttered, Event, MessageUnderstood
from turnlog.domain.traits import Part
from turnlog.encoding.values import copied, same
from turnlog.engine.request import Recorded
from turnlog.errors import BotError

WORDS = (BotUttered, MessageUnderstood, AnswerMeasured, *get_args(Part))
"""Events that count as repeated when a bot is asked again, even if the words differ."""

_ENVELOPE = ("timestamp", "cause")


class Audience(Protocol):
    """A receiver of an answer while it streams."""

    async def preview(self, text: str, first: bool, after: int) -> None:
        """Receives a chunk. first: whether it begins a message. after: number of the last recorded
        event.
        """

    async def kept(self, events: Sequence[Event]) -> None:
        """Receives a durable piece."""


class NoAudience:
    """An audience that ignores everything."""

    async def preview(self, text: str, first: bool, after: int) -> None:
        """See `Audience.preview`."""

    async def kept(self, events: Sequence[Event]) -> None:
        """See `Audience.kept`."""


class Keeper(Protocol):
    """Records what a bot says in one conversation.

    cause: number of the message's event. last_event: number of the last event that the bot has
    seen.
    """

    cause: int
    last_event: int

    def note_activity(self) -> None:
        """Notes that the bot is at work."""

    async def keep(self, event: Event, key: str) -> Recorded:
        """Records an event once, however long the log is unreachable."""
        ...

    async def go_to(self, event: int) -> None:
        """Shows the conversation after an event, unless the bot has already seen later ones."""


class LiveAnswer:
    """Records what a bot yields.

    known: the pieces that were recorded when the bot was asked before. streams: whether the bot
    yields its answer.
    """

    def __init__(self, keeper: Keeper, known: Iterable[Commit], audience: Audience) -> None:
        self._keeper = keeper
        self._known = deque(known)
        self._audience = audience
        self._draft = Draft()
        self._pieces = 0
        self._keeping: asyncio.Future[None] | None = None
        self._open = True
        self.streams = False

    async def begin(self) -> None:
        """Notes that the bot yields its answer."""
        self.streams = True

    async def chunk(self, text: str) -> None:
        """Previews a chunk, unless its message was recorded before."""
        self.check_open()
        self._keeper.note_activity()
        first = self._draft.add(text)
        if not self._is_known(BotUttered):
            await self._audience.preview(text, first, self._keeper.last_event)

    async def take(self, event: Event) -> None:
        """Ends the message of the chunks before an event, and records the event."""
        await self.end_message(event)
        await self._keep(event)

    async def end_message(self, event: Event | None = None) -> None:
        """Records the message of the chunks so far."""
        if (whole := self._draft.ended(event)) is not None:
            await self._keep(whole)

    async def close(self) -> BotUttered | None:
        """Accepts no further pieces; returns the unfinished message, unless it was recorded
        before.
        """
        self._open = False
        if self._keeping is not None:
            await asyncio.wait({self._keeping})
        whole = self._draft.ended()
        if whole is not None and self._is_known(BotUttered):
            await self._kept(whole)
            return None
        return whole

    async def _keep(self, event: Event) -> None:
        """Records a piece, or skips one recorded before. Cancellation does not interrupt it."""
        self.check_open()
        self._keeping = asyncio.ensure_future(self._kept(event))
        await asyncio.shield(self._keeping)
        self._keeper.note_activity()

    async def _kept(self, event: Event) -> None:
        while self._known:
            commit = self._known.popleft()
            self._pieces += 1
            if any(_is_said_again(stored, event) for stored in commit.events):
                await self._keeper.go_to(commit.last_event)
                await self._audience.kept(commit.events)
                return
        self._pieces += 1
        caused = event if event.cause else replace(event, cause=self._keeper.cause)
        key = piece_key(self._keeper.cause, self._pieces)
        recorded = await self._keeper.keep(caused, key)
        await self._audience.kept(recorded.events)

    def _is_known(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for commit in self._known for event in commit.events)

    def check_open(self) -> None:
        """Raises BotError in a bot that continues after its answer was broken off."""
        if not self._open:
            raise BotError("the bot continued after its answer had ended")


def _is_said_again(stored: Event, event: Event) -> bool:
    if type(stored) is not type(event):
        return False
    return isinstance(event, WORDS) or same(_content(stored), _content(event))


def _content(event: Event) -> object:
    plain = event.as_dict()
    return copied({name: value for name, value in plain.items() if name not in _ENVELOPE})

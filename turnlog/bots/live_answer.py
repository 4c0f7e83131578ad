"""An answer that streams into the log: each piece is durable before the bot goes on (ADR 16)."""

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
"""Said again by a bot that is driven again, they count as said, whatever the words are now."""

_ENVELOPE = ("timestamp", "cause")


class Audience(Protocol):
    """Who sees an answer while it comes."""

    async def preview(self, text: str, first: bool, after: int) -> None:
        """A chunk; first: of its message; after: number of the last event recorded before it."""

    async def kept(self, events: Sequence[Event]) -> None:
        """A piece is durable."""


class Nobody:
    async def preview(self, text: str, first: bool, after: int) -> None:
        pass

    async def kept(self, events: Sequence[Event]) -> None:
        pass


class Keeper(Protocol):
    """Keeps what a bot says and sees in one conversation.

    cause: number of the message's event. last_event: of the last event that the bot has seen.
    """

    cause: int
    last_event: int

    def note_activity(self) -> None:
        """The bot is at work."""

    async def keep(self, event: Event, key: str) -> Recorded:
        """Record once, however long the log is away."""
        ...

    async def go_to(self, event: int) -> None:
        """See the conversation as it was after an event, unless more of it was seen."""


class LiveAnswer:
    """Hears a bot. known: the pieces that were recorded when it was asked before.

    streams: whether the bot yields its answer.
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
        self.streams = True

    async def chunk(self, text: str) -> None:
        """Show a piece, unless its message was recorded before."""
        self.check_open()
        self._keeper.note_activity()
        first = self._draft.add(text)
        if not self._is_known(BotUttered):
            await self._audience.preview(text, first, self._keeper.last_event)

    async def take(self, event: Event) -> None:
        await self.end_message(event)
        await self._keep(event)

    async def end_message(self, event: Event | None = None) -> None:
        """Keep the message of the chunks so far."""
        if (whole := self._draft.ended(event)) is not None:
            await self._keep(whole)

    async def close(self) -> BotUttered | None:
        """Hear nothing more; the message that chunks had begun, unless it was recorded before."""
        self._open = False
        if self._keeping is not None:
            await asyncio.wait({self._keeping})
        whole = self._draft.ended()
        if whole is not None and self._is_known(BotUttered):
            await self._kept(whole)
            return None
        return whole

    async def _keep(self, event: Event) -> None:
        """Record a piece, or pass over the one recorded before; not broken off in the middle."""
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
        """Raise BotError in a bot that goes on after its answer was broken off."""
        if not self._open:
            raise BotError("its answer has ended")


def _is_said_again(stored: Event, event: Event) -> bool:
    if type(stored) is not type(event):
        return False
    return isinstance(event, WORDS) or same(_content(stored), _content(event))


def _content(event: Event) -> object:
    plain = event.as_dict()
    return copied({name: value for name, value in plain.items() if name not in _ENVELOPE})

"""Brings recorded events to the followers of their conversation, once each, in order.

Numbered events are always read back from the log, whether this server, another one, a timer or the
command line wrote them. Signals only say that there is something to read. Notes (the bot is at
work, chunks of a message) come separately, from the server that runs the bot.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager

from turnlog import AsyncTurnlog
from turnlog.domain.commit import Commit
from turnlog.domain.recorded import RecordedEvent
from turnlog.engine.aio import followed
from turnlog.errors import TurnlogError, UnknownConversation
from turnlog.server.notes import Note, Preview, Tell, Typing
from turnlog.storage.subscription import Subscription

logger = logging.getLogger(__name__)

Send = Callable[[Sequence[RecordedEvent]], Awaitable[None]]

NOTES_KEPT = 1_000
"""Notes that wait for the event they follow; further ones are dropped."""

RETRY_SECONDS = 0.5
"""Seconds before the log is tried again after a failed read."""


class Follower:
    """One reader of a conversation. `seen` is the number of the last event it received.

    tell: takes notes, each after the events that were recorded before it.
    """

    def __init__(self, conversation: str, seen: int, send: Send, tell: Tell | None = None) -> None:
        self.conversation = conversation
        self.seen = seen
        self._send = send
        self._tell = tell
        self._notes: deque[tuple[int, Note]] = deque(maxlen=NOTES_KEPT)
        self._previewing = False
        self._early: list[Commit] | None = []

    async def push(self, commit: Commit) -> None:
        """Takes a commit, or keeps it until the past has been read."""
        if self._early is not None:
            self._early.append(commit)
        else:
            await self.take(commit.recorded_events())

    async def take(self, events: Iterable[RecordedEvent]) -> None:
        """Sends the events that the follower has not seen."""
        fresh = [recorded for recorded in events if recorded.number > self.seen]
        if fresh:
            self.seen = fresh[-1].number
            await self._send(fresh)
            await self._pass_notes()

    async def note(self, after: int, note: Note) -> None:
        """Sends a note once the follower has seen the event of that number.

        A follower that joined in the middle of a message receives none of its chunks.
        """
        if self._tell is None:
            return
        if isinstance(note, Preview):
            self._previewing = note.first or self._previewing
            if not self._previewing:
                return
        self._notes.append((after, note))
        await self._pass_notes()

    async def _pass_notes(self) -> None:
        while self._early is None and self._notes and self._notes[0][0] <= self.seen:
            assert self._tell is not None
            await self._tell(self._notes.popleft()[1])

    async def go_live(self) -> None:
        """Sends what was recorded while the past was read; later commits are sent as they come."""
        while self._early:
            await self.take(self._early.pop(0).recorded_events())
        self._early = None
        await self._pass_notes()


class Feed:
    """Follows the log once for all followers. saw: called with each position."""

    def __init__(self, log: AsyncTurnlog, saw: Callable[[int], None] | None = None) -> None:
        self._log = log
        self._saw = saw
        self._rooms: dict[str, set[Follower]] = {}
        self._at_work: set[str] = set()
        self.position = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the log for the duration of the block."""
        store = self._log.sync.store
        subscription = await self._log.read(lambda log: Subscription.after(store, None))
        self.position = subscription.position
        task = asyncio.create_task(self._run(subscription))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def join(
        self, conversation: str, after: int | None, send: Send, tell: Tell | None = None
    ) -> Follower:
        """Follows a conversation after an event; None: from now on."""
        follower = Follower(conversation, 0 if after is None else after, send, tell)
        if conversation in self._at_work:
            await follower.note(0, Typing(True))
        self._rooms.setdefault(conversation, set()).add(follower)
        try:
            await self._catch_up(follower, after)
        except BaseException:
            self.leave(follower)
            raise
        return follower

    async def tell(self, conversation: str, after: int, note: Note) -> None:
        """Sends a note to the followers that have seen the events up to that number."""
        if isinstance(note, Typing):
            (self._at_work.add if note.at_work else self._at_work.discard)(conversation)
        for follower in list(self._rooms.get(conversation, ())):
            try:
                await follower.note(after, note)
            except Exception:
                logger.exception("a follower failed and was dropped")
                self.leave(follower)

    def leave(self, follower: Follower) -> None:
        """Stops following."""
        room = self._rooms.get(follower.conversation, set())
        room.discard(follower)
        if not room:
            self._rooms.pop(follower.conversation, None)

    async def _catch_up(self, follower: Follower, after: int | None) -> None:
        try:
            if after is None:
                now = await self._log.conversation(follower.conversation)
                follower.seen = now.state.event
            else:
                await follower.take(await self._log.read_recorded(follower.conversation, after))
        except UnknownConversation:
            follower.seen = 0
        await follower.go_live()

    async def _run(self, subscription: Subscription) -> None:
        while True:
            try:
                async for position, commit in followed(self._log, subscription):
                    await self._pass_on(commit)
                    self.position = position
                    if self._saw is not None:
                        self._saw(position)
            except TurnlogError as error:
                logger.warning("cannot follow the log, trying again: %s", error)
            except Exception:
                logger.exception("cannot follow the log, trying again")
            if subscription.position != self.position:  # read, but not passed on
                subscription.seek(self.position)
            await asyncio.sleep(RETRY_SECONDS)

    async def _pass_on(self, commit: Commit) -> None:
        for follower in list(self._rooms.get(commit.conversation, ())):
            try:
                await follower.push(commit)
            except Exception:
                logger.exception("a follower failed and was dropped")
                self.leave(follower)

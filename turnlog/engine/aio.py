"""The awaitable face of a log: the same writer on a separate thread, and reads on a small pool.

Events recorded during a commit go into the next one (group commit). A caller is answered after
COMMIT; the answers of a commit reach the event loop together.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, BinaryIO, Self, TypeVar

from turnlog.domain.attachment import Attachment
from turnlog.domain.commit import Commit
from turnlog.domain.conversation import Conversation
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import ConversationDeleted, Event
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.state import State
from turnlog.engine.arguments import check_wait
from turnlog.engine.command import Checkout
from turnlog.engine.forking import Fork
from turnlog.engine.log import Turnlog
from turnlog.engine.readable_log import Choice
from turnlog.engine.request import Command, Recorded, Request
from turnlog.errors import Unavailable
from turnlog.projections import catch_up_kept
from turnlog.projections.live_head import LiveHead
from turnlog.projections.view import StoredView
from turnlog.storage.subscription import WAIT_SECONDS, Subscription

if TYPE_CHECKING:  # imported on demand
    from turnlog.engine.erasure.erasing import Erased
    from turnlog.engine.erasure.holds import Hold

Item = TypeVar("Item")
Result = TypeVar("Result")
Waiting = tuple[Request, "asyncio.Future[Recorded]"]

READERS = 4
MAX_WAITING = 10_000
"""How many requests may wait for a commit; further callers are refused immediately."""

PAGE_HEADS = 500
"""How many conversations are read concurrently when iterating over all."""


class AsyncTurnlog:
    """A log for one event loop. An async context manager; `sync` is the underlying log."""

    def __init__(self, log: Turnlog) -> None:
        self.sync = log
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Waiting | None] = SimpleQueue()
        self._unanswered = 0
        self._closed = False
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="turnlog-read")
        self._followers = ThreadPoolExecutor(READERS, thread_name_prefix="turnlog-follow")
        self._growing: dict[int, asyncio.Future[bool]] = {}
        self._thread = threading.Thread(target=self._write, name="turnlog-write", daemon=True)
        self._thread.start()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Commit everything that is waiting, then close the log."""
        if self._closed or self.sync.store.inherited:
            return
        self._closed = True
        self._queue.put(None)
        self.sync.store.signal.send()
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._followers.shutdown)
        await asyncio.to_thread(self._pool.shutdown)
        self.sync.close()

    # --- writing --------------------------------------------------------------------------------

    async def record(
        self,
        conversation: str,
        *events: Event,
        key: str | None = None,
        expected_version: int | None = None,
    ) -> Recorded:
        """As Turnlog.record: durable when it returns.

        Events of a cancelled call may be stored all the same; with a `key` they can be recorded
        again.
        """
        return await self.submit(
            self.sync.request(conversation, events, key=key, expected_version=expected_version)
        )

    async def perform(
        self,
        conversation: str,
        command: Command,
        *,
        key: str | None = None,
        expected_version: int | None = None,
    ) -> Recorded:
        """As Turnlog.perform; the command runs on the writer's thread."""
        return await self.submit(
            self.sync.request(conversation, command, key=key, expected_version=expected_version)
        )

    async def checkout(
        self,
        id: str,
        branch: str | None = None,
        *,
        event: int | None = None,
        turn: int | None = None,
        reason: str | None = None,
        key: str | None = None,
    ) -> Recorded:
        """As Turnlog.checkout: durable when it returns."""
        asked = Checkout(branch, event, turn, reason)
        request = await self.read(lambda log: log.checkout_request(id, asked, key))
        return await self.submit(request)

    async def fork(
        self,
        id: str,
        *,
        as_: str,
        turn: int | None = None,
        event: int | None = None,
        trial: bool = False,
        reason: str | None = None,
        key: str | None = None,
    ) -> Recorded:
        """As Turnlog.fork: durable when it returns."""
        fork = Fork(id, turn, event, trial, reason)
        return await self.submit(self.sync.fork_request(as_, fork, key=key))

    async def import_dialogue(self, dialogue: Dialogue) -> Recorded:
        """As Turnlog.import_dialogue: durable when it returns."""
        return await self.submit(self.sync.import_request(dialogue))

    async def delete(
        self, conversation: str, reason: str | None = None, *, actor: str | None = None
    ) -> None:
        """As Turnlog.delete: durable when it returns."""
        await self.read(lambda log: log.check_deletable(conversation))
        await self.record(conversation, ConversationDeleted(reason, actor=actor))
        await self.read(lambda log: catch_up_kept(log.store))

    async def erase(
        self,
        id: str | None = None,
        *,
        person: str | None = None,
        event: int | None = None,
        reason: str,
        actor: str,
        vacuum: str = "yes",
        progress: Callable[[str], None] | None = None,
    ) -> Erased:
        """As Turnlog.erase, on a reading thread."""
        return await self.read(
            lambda log: log.erase(
                id, person=person, event=event, reason=reason, actor=actor, vacuum=vacuum,
                progress=progress,
            )
        )  # fmt: skip

    async def hold(
        self, id: str | None = None, *, person: str | None = None, reason: str, actor: str
    ) -> None:
        """As Turnlog.hold: durable when it returns."""
        await self.read(lambda log: log.hold(id, person=person, reason=reason, actor=actor))

    async def release(
        self, id: str | None = None, *, person: str | None = None, reason: str, actor: str
    ) -> list[Hold]:
        """As Turnlog.release: durable when it returns."""
        return await self.read(
            lambda log: log.release(id, person=person, reason=reason, actor=actor)
        )

    def submit(self, request: Request) -> asyncio.Future[Recorded]:
        """Queue a request; the future is resolved after COMMIT."""
        self.sync.store.check_process()  # a fork does not have the writing thread
        if self._closed:
            raise Unavailable("the log was closed")
        if self._unanswered >= MAX_WAITING:
            raise Unavailable(f"{MAX_WAITING:,} requests are waiting for the database already")
        future: asyncio.Future[Recorded] = self._loop.create_future()
        self._unanswered += 1
        self._queue.put((request, future))
        return future

    def _write(self) -> None:
        """The writer's thread: takes the waiting requests, commits them and answers them."""
        while (first := self._queue.get()) is not None:
            taken = [first]
            closing = False
            try:
                while (following := self._queue.get_nowait()) is not None:
                    taken.append(following)
                closing = True
            except Empty:
                pass
            for request, _ in taken:
                self.sync.writer.submit(request)
            self.sync.writer.flush()
            self._loop.call_soon_threadsafe(self._answer, taken)
            if closing:
                return

    def _answer(self, taken: list[Waiting]) -> None:
        self._unanswered -= len(taken)
        for request, future in taken:
            if future.done():  # a cancelled caller's events stay recorded
                continue
            try:
                future.set_result(request.result())
            except BaseException as error:
                future.set_exception(error)

    # --- reading --------------------------------------------------------------------------------

    async def read(self, question: Callable[[Turnlog], Result]) -> Result:
        """The answer to a question about the log, asked on a reading thread."""
        self.sync.store.check_process()
        return await self._loop.run_in_executor(self._pool, question, self.sync)

    async def attach(
        self, conversation: str, file: BinaryIO, *, type: str | None = None
    ) -> Attachment:
        """As Turnlog.attach, on a reading thread."""
        return await self.read(lambda log: log.attach(conversation, file, type=type))

    async def open_attachment(self, attachment: Attachment) -> BinaryIO:
        """As Turnlog.open_attachment; the file reads from the database, so read it in `read`."""
        return await self.read(lambda log: log.open_attachment(attachment))

    async def conversation(
        self,
        id: str,
        *,
        turn: int | None = None,
        event: int | None = None,
        time: float | None = None,
        version: int | None = None,
        deleted: bool = False,
        life: int | None = None,
    ) -> Conversation:
        """As Turnlog.conversation. Its `events()` and `dialogue()` read the log: call them in
        `read`.
        """
        return await self.read(
            lambda log: log.conversation(
                id, turn=turn, event=event, time=time, version=version, deleted=deleted, life=life
            )
        )

    async def read_events(self, id: str, after: int = 0) -> list[Event]:
        """The events of a conversation numbered above `after`, oldest first."""
        return await self.read(lambda log: log.read_events(id, after))

    async def read_recorded(self, id: str, after: int = 0) -> list[RecordedEvent]:
        """The same in their envelopes."""
        return await self.read(lambda log: log.read_recorded(id, after))

    async def ids(self, *, trials: bool = True) -> AsyncIterator[str]:
        """As Turnlog.ids."""
        async for head, state in self.heads():
            if trials or not state.lineage.trial:
                yield head.conversation

    async def head(
        self, id: str, *, deleted: bool = False, restricted: bool = False
    ) -> tuple[LiveHead, State]:
        """The newest state of a conversation. Raises UnknownConversation."""
        return await self.read(lambda log: log.head(id, deleted=deleted, restricted=restricted))

    async def heads(
        self, *, newest: bool = False, before: int | None = None, among: Choice = iter
    ) -> AsyncIterator[tuple[LiveHead, State]]:
        """As Turnlog.heads."""
        async for head in self._paged(self.sync.heads(newest=newest, before=before, among=among)):
            yield head

    async def deletions(self) -> AsyncIterator[RecordedEvent]:
        """How each deleted conversation was deleted, in order of id."""
        async for deletion in self._paged(self.sync.deletions()):
            yield deletion

    async def _paged(self, items: Iterator[Item]) -> AsyncIterator[Item]:
        while page := await self.read(lambda log: list(islice(items, PAGE_HEADS))):
            for item in page:
                yield item

    async def view(self, name: str) -> StoredView:
        """As Turnlog.view. The view reads when it is asked: use it in `read`."""
        return await self.read(lambda log: log.view(name))

    # --- following ------------------------------------------------------------------------------

    async def follow(
        self, after: int | None = None, digest: bytes | None = None
    ) -> AsyncIterator[tuple[int, Commit]]:
        """As Turnlog.follow: positions and commits above `after`, in order, from any process."""
        store = self.sync.store
        subscription = await self.read(lambda log: Subscription.after(store, after, digest))
        async for commit in followed(self, subscription):
            yield commit

    async def digest(self, position: int) -> bytes:
        """As Turnlog.digest: the digest of the row at a position."""
        return await self.read(lambda log: log.digest(position))

    async def wait(self, id: str, after: int, timeout: float | None = None) -> bool:
        """Whether the conversation has, or gets in time, events numbered above `after`.

        timeout: seconds; None waits without limit.
        """
        check_wait(id, after, timeout)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    position, event = await self.read(lambda log: log.end(id))
                    if event > after:
                        return True
                    await self._grown(position)
        except (TimeoutError, RuntimeError):  # RuntimeError: the log was closed meanwhile
            if not self._closed and timeout is None:
                raise
            return False

    async def _grown(self, position: int) -> None:
        """Return when there is more than `position`, or after a while; followers wait together."""
        growing = self._growing.get(position)
        if growing is None:
            store = self.sync.store
            growing = self._loop.run_in_executor(
                self._followers, store.wait_above, position, WAIT_SECONDS
            )
            self._growing[position] = growing
            growing.add_done_callback(lambda _: self._growing.pop(position))
        await asyncio.shield(growing)


async def followed(
    log: AsyncTurnlog, subscription: Subscription
) -> AsyncIterator[tuple[int, Commit]]:
    """As `follow`, for callers that keep the subscription and continue with it after an error."""
    while not log._closed:
        commits = await log.read(lambda log: log.next_commits(subscription))
        for commit in commits:
            yield commit
        if not commits:
            await log._grown(subscription.position)

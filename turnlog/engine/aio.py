"""The awaitable face of a log: the same writer on a thread of its own, reads on a small pool.

What is recorded while a commit is under way goes into the next one (group commit). A caller is
answered after COMMIT; the answers of a commit come to the event loop together.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Self, TypeVar

from turnlog.domain.conversation import Commit, Conversation, Dialogue
from turnlog.domain.events import Event
from turnlog.encoding import binary
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Command, Recorded, Request
from turnlog.errors import Unavailable
from turnlog.storage.rows import Row

Result = TypeVar("Result")
Waiting = tuple[Request, "asyncio.Future[Recorded]"]

READERS = 4
MAX_WAITING = 10_000
"""Requests that may wait for a commit; beyond that a caller is refused at once."""

FOLLOWED = 500
"""Commits that are read at once while following."""

PATIENCE = 0.5
"""Seconds after which a follower looks whether the log was closed."""


class AsyncTurnlog:
    """A log for one event loop. An async context manager; `sync` is the log underneath."""

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
        """Commit what is waiting, then let go of the log."""
        if self._closed:
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
        """As Turnlog.record: durable when it returns."""
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
        """Record what a command asks for, given the state it finds when its turn has come.

        The command runs on the writer's thread, inside the transaction: quick and without I/O.
        """
        return await self.submit(
            self.sync.request(conversation, command, key=key, expected_version=expected_version)
        )

    async def bring_in(self, dialogue: Dialogue) -> Recorded:
        return await self.submit(self.sync.bring_in(dialogue))

    def submit(self, request: Request) -> asyncio.Future[Recorded]:
        """Queue a request; the future is resolved after COMMIT."""
        if self._closed:
            raise Unavailable("the log was closed")
        if self._unanswered >= MAX_WAITING:
            raise Unavailable(f"{MAX_WAITING:,} requests are waiting for the database already")
        future: asyncio.Future[Recorded] = self._loop.create_future()
        self._unanswered += 1
        self._queue.put((request, future))
        return future

    def _write(self) -> None:
        """The writer's thread: takes what is there, commits it, answers it."""
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
            if future.done():  # its caller was cancelled; what was recorded stays recorded
                continue
            try:
                future.set_result(request.result())
            except BaseException as error:
                future.set_exception(error)

    # --- reading --------------------------------------------------------------------------------

    async def read(self, question: Callable[[Turnlog], Result]) -> Result:
        """The answer to a question put to the log on a reading thread."""
        return await self._loop.run_in_executor(self._pool, question, self.sync)

    async def conversation(
        self,
        id: str,
        *,
        turn: int | None = None,
        event: int | None = None,
        time: float | None = None,
    ) -> Conversation:
        """As Turnlog.conversation. Its `events()` and `dialogue()` read: call them in `read`."""
        return await self.read(lambda log: log.conversation(id, turn=turn, event=event, time=time))

    async def events(self, id: str, after: int = 0) -> list[Event]:
        """The events of a conversation numbered above `after`, oldest first."""
        return await self.read(lambda log: list(log.conversation(id).events(after)))

    # --- following ------------------------------------------------------------------------------

    async def follow(self, after: int | None = None) -> AsyncIterator[tuple[int, Commit]]:
        """Positions and commits above `after` (None: from now on), in order, whoever wrote them."""
        position = await self.read(_last_position) if after is None else after
        while not self._closed:
            rows = await self.read(partial(_tail, position))
            for row in rows:
                position = row.position
                if row.topic == binary.TOPIC:
                    yield position, row.commit()
            if not rows:
                await self._grown(position)

    async def wait(self, id: str, after: int, timeout: float | None = None) -> bool:
        """Whether the conversation has events numbered above `after`, or got some in time.

        timeout: seconds; None waits for ever.
        """
        try:
            async with asyncio.timeout(timeout):
                while True:
                    position, event = await self.read(lambda log: _end(log, id))
                    if event > after:
                        return True
                    await self._grown(position)
        except TimeoutError:
            return False

    async def _grown(self, position: int) -> None:
        """Return when there is more than `position`, or after a while; followers wait together."""
        growing = self._growing.get(position)
        if growing is None:
            store = self.sync.store
            growing = self._loop.run_in_executor(
                self._followers, store.wait_above, position, PATIENCE
            )
            self._growing[position] = growing
            growing.add_done_callback(lambda _: self._growing.pop(position))
        await asyncio.shield(growing)


def _tail(after: int, log: Turnlog) -> Sequence[Row]:
    return log.store.reader.tail(after, FOLLOWED)


def _last_position(log: Turnlog) -> int:
    return log.store.reader.last_position()


def _end(log: Turnlog, id: str) -> tuple[int, int]:
    """The log's last position, then the number of the conversation's last event."""
    position = log.store.reader.last_position()
    head = log.store.reader.head(id)
    return position, head.event if head else 0


class Opening:
    """What `aopen` returns: `await` it, or use it in `async with`."""

    def __init__(self, open: Callable[[], Turnlog]) -> None:
        self._open = open
        self._log: AsyncTurnlog | None = None

    def __await__(self) -> Generator[Any, None, AsyncTurnlog]:
        return self._opened().__await__()

    async def __aenter__(self) -> AsyncTurnlog:
        self._log = await self._opened()
        return self._log

    async def __aexit__(self, *exception: object) -> None:
        assert self._log is not None
        await self._log.close()

    async def _opened(self) -> AsyncTurnlog:
        return AsyncTurnlog(await asyncio.to_thread(self._open))

"""Processes that replay conversations for this one.

Each is a fresh Python that loads the bot by its name. Whatever a bot does to its process, this one
survives, and trusts only the replies.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from queue import Empty, Queue
from threading import Lock
from typing import IO

from turnlog.errors import BotError
from turnlog.replay.replayed import ReplayedConversation
from turnlog.replay.running.here import one_of
from turnlog.replay.running.worker import Reply, Task

PORTIONS, AT_MOST = 16, 64
"""How many rounds distribute the work, and how many conversations are in a small share."""

SURELY_WORTH_IT = 500
"""From this many conversations on, all processes start immediately."""

WORTH_IT_SECONDS = 2.0
"""Seconds of work left for each process that justify starting one more."""

GRACE_SECONDS = 2.0
"""Seconds for a process to end by itself."""

PATIENCE_SECONDS = 0.5
"""Seconds that work waits for a process before one more is started."""


class Worker:
    """One process. hash_seed: the salt of its hashes; None for this process's."""

    def __init__(self, task: Task, hash_seed: int | None = None) -> None:
        self._task = task
        code = f"import sys; sys.path[:] = {sys.path!r}; from {Task.__module__} import main"
        seed = {} if hash_seed is None else {"PYTHONHASHSEED": str(hash_seed)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{code}; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **seed},
        )
        self._is_ready = False
        self._failure: BaseException | None = None
        self._send(task)

    def replay(self, ids: list[str]) -> list[ReplayedConversation]:
        """The results of conversations. Raises BotError if the process ended; later callers get the
        conversation at which it did.
        """
        if self._failure is not None:
            raise self._failure
        try:
            return self._replayed(ids)
        except BaseException as error:
            self._failure = error
            raise

    def _replayed(self, ids: list[str]) -> list[ReplayedConversation]:
        self.wait_until_ready()
        self._send(ids)
        replayed: list[ReplayedConversation] = []
        while len(replayed) < len(ids):
            reply = self._receive(ids[len(replayed) :])
            assert reply is not None
            replayed.append(reply)
        return replayed

    def wait_until_ready(self) -> None:
        """Raises BotError if the bot cannot be loaded."""
        if not self._is_ready:
            self._receive([])
            self._is_ready = True

    def let_go(self) -> None:
        """No more work: it may close its log, which may be a copy, and end."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def end(self) -> None:
        """Wait until it ends, or kill it."""
        self.let_go()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _send(self, what: object) -> None:
        sink = self._process.stdin
        assert sink is not None
        with suppress(OSError):  # it ended, which the next read reports
            pickle.dump(what, sink)
            sink.flush()

    def _receive(self, waiting: list[str]) -> ReplayedConversation | None:
        assert self._process.stdout is not None
        try:
            reply = _read(self._process.stdout)
        except Exception as error:  # other bytes may raise anything
            if isinstance(error, EOFError) or self._has_ended():
                raise BotError(self._ended(waiting)) from error
            self._process.kill()
            raise BotError(
                f"{self._doing(waiting)} wrote into the replies of its process"
            ) from error
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def _has_ended(self) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS / 10)
        return self._process.returncode is not None

    def _ended(self, waiting: list[str]) -> str:
        """Why no more replies come. waiting: the conversations that are left."""
        how = _how(self._process.wait())
        when = "" if waiting else " as it was loaded"
        return f"{self._doing(waiting)} ended its process{when}: {how}"

    def _doing(self, waiting: list[str]) -> str:
        bot = f"bot {self._task.bot!r}"
        running = waiting[: self._task.settings.concurrency]
        return f"{one_of(running)}: {bot}" if running else bot


def _read(source: IO[bytes]) -> Reply:
    reply: Reply = pickle.load(source)
    return reply


def _how(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-status).name}"
    return f"killed by signal {-status}"


class Workers:
    """As many processes as are worthwhile: one more if work waits for long or enough of it is left.

    count: the number of conversations.
    """

    def __init__(self, task: Task, jobs: int, hash_seed: int | None, count: int) -> None:
        self._task = task
        self._jobs = jobs
        self._hash_seed = hash_seed
        self._left = count
        self._idle: Queue[Worker] = Queue()
        self._all: list[Worker] = []
        self._starting = Lock()
        for _ in range(jobs if count >= SURELY_WORTH_IT else 1):
            self._idle.put(self._started())

    def wait_until_ready(self) -> None:
        """Wait for the first process. Raises BotError if the bot cannot be loaded."""
        self._all[0].wait_until_ready()

    def replay(self, ids: list[str]) -> list[ReplayedConversation]:
        """The results of these conversations from a free process, and perhaps start one more."""
        worker = self._free()
        try:
            replayed = worker.replay(ids)
        finally:
            self._idle.put(worker)
        self._left -= len(ids)
        seconds = sum(one.seconds for one in replayed) / len(ids) * self._left
        if seconds / self._task.settings.concurrency / len(self._all) > WORTH_IT_SECONDS:
            self._start_another()
        return replayed

    def end(self) -> None:
        """End all processes."""
        with self._starting:
            self._jobs = 0
            for worker in self._all:
                worker.let_go()
            for worker in self._all:
                worker.end()

    def _free(self) -> Worker:
        with suppress(Empty):
            return self._idle.get(timeout=PATIENCE_SECONDS)
        self._start_another()
        return self._idle.get()

    def _start_another(self) -> None:
        with self._starting:
            if len(self._all) < self._jobs:
                self._idle.put(self._started())

    def _started(self) -> Worker:
        worker = Worker(self._task, self._hash_seed)
        self._all.append(worker)
        return worker


def replay_apart(
    task: Task, ids: Iterable[str], jobs: int, hash_seed: int | None = None
) -> Iterator[ReplayedConversation]:
    """The result of each conversation, in the order of the ids, from this many processes. Raises
    BotError, naming the conversation, if one of them ends.
    """
    waiting = list(ids)
    at_once = _at_once(len(waiting), jobs, task.settings.concurrency)
    workers = Workers(task, jobs, hash_seed, len(waiting))
    pool = ThreadPoolExecutor(jobs)
    try:
        workers.wait_until_ready()
        for replayed in pool.map(workers.replay, _chunks(waiting, at_once)):
            yield from replayed
    finally:
        workers.end()
        pool.shutdown(cancel_futures=True)


def _at_once(count: int, jobs: int, concurrency: int) -> int:
    """How many conversations a process receives: many, so that it does not idle; few, so that the
    others do not wait for the last.
    """
    fair = -(-count // jobs) or 1
    at_once = max(1, min(AT_MOST, count // (PORTIONS * jobs)))
    return at_once if concurrency == 1 else min(fair, max(at_once, 8 * concurrency))


def _chunks(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(ids)
    while chunk := list(islice(rest, size)):
        yield chunk

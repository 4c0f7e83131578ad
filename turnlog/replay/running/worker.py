"""A process that replays conversations for another one: the child's side.

It reads a Task and then lists of ids from stdin. It writes a reply when it is ready, and one for
each conversation, all pickled. Its bot's output goes to stderr.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from typing import Any, BinaryIO

import msgspec

from turnlog import bots
from turnlog.engine.log import Turnlog
from turnlog.errors import TurnlogError
from turnlog.keys.opening import recorder
from turnlog.replay.replayed import ReplayedConversation
from turnlog.replay.running.here import Here
from turnlog.replay.running.settings import ReplaySettings


class Task(msgspec.Struct, frozen=True):
    """url and keys: of the log. bot: its name."""

    url: str
    keys: str | None
    bot: str
    settings: ReplaySettings


Reply = ReplayedConversation | BaseException | None
"""None when it is ready; an error ends it."""


def main() -> None:
    """Run the child process until its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    source, sink = _taken_streams()
    process = os.getpid()
    try:
        for reply in _replies(source):
            _write(sink, reply, process)
    except BaseException as error:
        _write(sink, _portable(error), process)
    os._exit(0)  # regardless of the bot's threads


def _taken_streams() -> tuple[BinaryIO, BinaryIO]:
    """Take stdin and stdout for the replies: other readers get nothing, other output goes to
    stderr.
    """
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return source, sink


def _replies(source: BinaryIO) -> Iterator[ReplayedConversation | None]:
    task: Task = pickle.load(source)
    with redirect_stdout(sys.stderr):
        bot = bots.load(task.bot)
    with Turnlog(recorder(task.url, keys=task.keys, readonly=True)) as log:
        here = Here(log, bot, task.settings)
        yield None
        while ids := _read(source):
            yield from here.replay(ids)


def _read(source: BinaryIO) -> list[str]:
    """The next ids; None at the end."""
    try:
        ids: list[str] = pickle.load(source)
    except EOFError:
        return []
    return ids


def _write(sink: BinaryIO, reply: Any, process: int) -> None:
    """Only the started process replies, not one that the bot forked."""
    if os.getpid() != process:
        os._exit(0)
    pickle.dump(reply, sink)
    sink.flush()


def _portable(error: BaseException) -> BaseException:
    """The error, or an equivalent one that can be pickled."""
    if not isinstance(error, TurnlogError):
        return RuntimeError(f"{type(error).__name__}: {error}")
    with suppress(Exception):
        copy = pickle.loads(pickle.dumps(error))
        if str(copy) == str(error):
            return error
    return TurnlogError(str(error))

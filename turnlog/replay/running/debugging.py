"""Breakpoints of a bot, and its failures, in a debugger on this terminal."""

from __future__ import annotations

import bdb
import pdb
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from turnlog.errors import BotError


class StoppedAtBreakpoint(Exception):
    """A bot stops for a debugger that nobody asked for."""


@contextmanager
def without_breakpoints() -> Iterator[None]:
    """Where a bot would stop for a debugger, it raises StoppedAtBreakpoint."""
    before = bdb.Bdb.set_trace
    setattr(bdb.Bdb, "set_trace", _refuse)  # noqa: B010  # a method cannot be assigned to
    try:
        yield
    finally:
        setattr(bdb.Bdb, "set_trace", before)  # noqa: B010


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise StoppedAtBreakpoint


def post_mortem(error: BaseException) -> None:
    """A debugger where the bot raised. Raises BotError where it is left with `quit`."""
    if isinstance(error, bdb.BdbQuit):
        raise BotError("the debugger was left: nothing more is replayed") from error
    traceback.print_exception(error)
    debugger = pdb.Pdb()
    debugger.reset()
    debugger.interaction(None, error.__traceback__)
    if debugger.quitting:
        raise BotError("the debugger was left: nothing more is replayed")

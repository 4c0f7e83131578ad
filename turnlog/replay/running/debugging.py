"""A bot's breakpoints and failures, in a debugger on this terminal."""

from __future__ import annotations

import bdb
import pdb
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from turnlog.errors import BotError


class StoppedAtBreakpoint(Exception):
    """A bot stops at a breakpoint, but debugging was not asked for."""


@contextmanager
def without_breakpoints() -> Iterator[None]:
    """Turns every breakpoint of a bot into StoppedAtBreakpoint."""
    before = bdb.Bdb.set_trace
    setattr(bdb.Bdb, "set_trace", _refuse)  # noqa: B010  # a method cannot be assigned to
    try:
        yield
    finally:
        setattr(bdb.Bdb, "set_trace", before)  # noqa: B010


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise StoppedAtBreakpoint


def post_mortem(error: BaseException) -> None:
    """A debugger at the line where the bot raised. Raises BotError when the user quits."""
    if isinstance(error, bdb.BdbQuit):
        raise BotError("the debugger was quit; the replay ends") from error
    traceback.print_exception(error)
    debugger = pdb.Pdb()
    debugger.reset()
    debugger.interaction(None, error.__traceback__)
    if debugger.quitting:
        raise BotError("the debugger was quit; the replay ends")

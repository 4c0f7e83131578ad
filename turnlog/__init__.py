"""turnlog: an event-sourced conversation engine."""

from __future__ import annotations

import time
from collections.abc import Callable

from turnlog.domain.conversation import Commit as Commit
from turnlog.domain.conversation import Conversation as Conversation
from turnlog.domain.conversation import Dialogue as Dialogue
from turnlog.domain.conversation import Turn as Turn
from turnlog.domain.events import *  # noqa: F403
from turnlog.domain.slots import Slot as Slot
from turnlog.domain.state import State as State
from turnlog.engine.aio import AsyncTurnlog as AsyncTurnlog
from turnlog.engine.aio import Opening
from turnlog.engine.log import Turnlog as Turnlog
from turnlog.storage.urls import recorder

__version__ = "0.1.0"


def open(url: str, *, clock: Callable[[], float] = time.time) -> Turnlog:
    """Open a log: `sqlite:///chat.db`, `postgresql://…` or `memory:`. A context manager."""
    return Turnlog(recorder(url), clock)


def aopen(url: str, *, clock: Callable[[], float] = time.time) -> Opening:
    """The same, awaitable: `await turnlog.aopen(url)` or `async with turnlog.aopen(url) as log`."""
    return Opening(lambda: Turnlog(recorder(url), clock))

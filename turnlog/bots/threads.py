"""Runs a bot's work that would block the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


async def in_thread(work: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """The work's result and exception. A thread that hangs does not delay the exit."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def finish(outcome: tuple[Any, BaseException | None]) -> None:
        if not done.done():
            done.set_result(outcome)

    def run() -> None:
        try:
            outcome: tuple[Any, BaseException | None] = (work(), None)
        except BaseException as error:
            outcome = (None, error)
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(finish, outcome)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name="turnlog-bot", daemon=True).start()
    return await done

"""How long the log and a bot are waited for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from itertools import count
from typing import Any, TypeVar

from turnlog.bots import LiveConversation
from turnlog.domain.events import BotFailed, Event
from turnlog.errors import Unavailable

logger = logging.getLogger(__name__)

Done = TypeVar("Done")

LOG_ATTEMPTS = 6
FIRST_PAUSE_SECONDS = 0.25
LAST_PAUSE_SECONDS = 4.0
"""How often a server that ends tries the log for an answer; seconds before the second time, then
doubled."""

SHORTEST_WAIT_SECONDS = 0.05


class Patience:
    """With the log. seconds: for one answer of its; ending: the server gives up at last."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.ending = False

    async def in_time(self, work: Awaitable[Done]) -> Done:
        """Raises Unavailable where it takes too long."""
        try:
            async with asyncio.timeout(self._seconds):
                return await work
        except TimeoutError as error:
            raise Unavailable("the log does not answer; send the message again") from error

    async def insist(self, work: Callable[[], Awaitable[Done]]) -> Done:
        """Do it again and again until the log is back."""
        for attempt in count():
            try:
                return await work()
            except Unavailable as error:
                if self.ending and attempt >= LOG_ATTEMPTS:
                    raise
                logger.warning("an answer waits for the log: %s", error)
            await asyncio.sleep(min(FIRST_PAUSE_SECONDS * 2 ** min(attempt, 9), LAST_PAUSE_SECONDS))
        raise AssertionError

    async def insist_in_time(self, work: Callable[[], Awaitable[Done]]) -> Done:
        return await self.insist(lambda: self.in_time(work()))


async def bot_answer(
    asking: Coroutine[Any, Any, Sequence[Event]], timeout: float, view: LiveConversation
) -> Sequence[Event]:
    """The answer, or a BotFailed; a bot that will not be cancelled is left behind.

    What the bot waits for the log is not its time.
    """
    task = asyncio.ensure_future(asking)
    began = time.monotonic()
    while (left := began + timeout + view.waited - time.monotonic()) > 0:
        done, _ = await asyncio.wait({task}, timeout=max(left, SHORTEST_WAIT_SECONDS))
        if done and task.cancelled():
            return (BotFailed("error", "CancelledError: the bot cancelled itself"),)
        if done:
            return task.result()
    task.cancel()
    return (BotFailed("timeout", f"no answer within {timeout:g} s"),)

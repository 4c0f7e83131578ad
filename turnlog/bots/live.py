"""The conversation as a running bot sees it: tools are really called, and recorded as they are."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from turnlog.bots.bot import LoadedBot
from turnlog.bots.conversation import BotConversation
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event, ToolCalled, ToolReturned
from turnlog.encoding.values import copied, same
from turnlog.engine.aio import AsyncTurnlog
from turnlog.engine.request import Recorded
from turnlog.errors import ToolFailed

OWN = "\x1f"
"""Begins the idempotency keys made on a bot's behalf; no client's message id does."""

Result = TypeVar("Result")
Insist = Callable[[Callable[[], Awaitable[Result]]], Awaitable[Result]]
"""Does work, and does it again where the log was away."""


async def once(work: Callable[[], Awaitable[Result]]) -> Result:
    return await work()


class LiveConversation(BotConversation):
    """Over an open log.

    cause: the number of the message's event, noted in what is recorded on the bot's behalf.
    insist: how calls and results are recorded while the log is away. A bot that is asked again
    gets the recorded results of the calls that it makes again.
    """

    def __init__(
        self,
        log: AsyncTurnlog,
        conversation: Conversation,
        loaded: LoadedBot,
        cause: int,
        insist: Insist[Any] = once,
    ) -> None:
        super().__init__(conversation)
        self._log = log
        self._loaded = loaded
        self._cause = cause
        self._insist = insist
        self._calls = 0
        self._waited = 0.0
        self._waiting_since: float | None = None

    @property
    def now(self) -> float:
        return self._log.sync.clock()

    @property
    def waited(self) -> float:
        """Seconds for which the bot has waited for the log so far."""
        since = self._waiting_since
        return self._waited + (0.0 if since is None else time.monotonic() - since)

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """Run a tool of the bot; the call is durable before it runs, its result on return."""
        with self._waiting():
            number, call_id, returned = await self._insist(lambda: self._called(tool, arguments))
        if returned is None:
            result, failed = await self._run(tool, arguments)
            returned = ToolReturned(result, call_id, tool, failed or None, cause=number)
            with self._waiting():
                await self._insist(lambda: self._record(returned, f"{OWN}return {call_id}"))
        if returned.is_error:
            raise ToolFailed(tool, returned.result)
        return returned.result

    async def _called(
        self, tool: str, arguments: dict[str, Any]
    ) -> tuple[int, str, ToolReturned | None]:
        """The call's event and id, and its result where it was made before."""
        while True:
            call_id = f"{self._cause}.{self._calls + 1}"
            called = ToolCalled(tool, arguments, call_id, cause=self._cause)
            recorded = await self._record(called, f"{OWN}call {call_id}")
            [stored] = recorded.events
            number = recorded.commits[-1].last_event
            self._calls += 1
            if recorded.new:
                return number, call_id, None
            if isinstance(stored, ToolCalled) and _same_call(stored, called):
                return number, call_id, await self._returned(call_id)

    async def _returned(self, call_id: str) -> ToolReturned | None:
        """The recorded result of a call."""
        key = f"{OWN}return {call_id}"
        commit = await self._log.read(lambda log: log.keyed(self.id, key))
        events = () if commit is None else commit.events
        return next((event for event in events if isinstance(event, ToolReturned)), None)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        self._waiting_since = since = time.monotonic()
        try:
            yield
        finally:
            self._waited += time.monotonic() - since
            self._waiting_since = None

    async def _run(self, tool: str, arguments: dict[str, Any]) -> tuple[Any, bool]:
        """The tool's result, or what went wrong and True."""
        function = self._loaded.tools.get(tool)
        if function is None:
            return f"{self._loaded.name} has no tool {tool!r}", True
        try:
            result = function(**arguments)
            return (await result if inspect.isawaitable(result) else result), False
        except Exception as error:
            return f"{type(error).__name__}: {error}", True

    async def _record(self, event: Event, key: str) -> Recorded:
        recorded = await self._log.record(self.id, event, key=key)
        self._conversation = await self._log.conversation(self.id)
        return recorded


def _same_call(stored: ToolCalled, called: ToolCalled) -> bool:
    return stored.name == called.name and same(copied(stored.arguments), copied(called.arguments))

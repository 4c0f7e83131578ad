"""The conversation as a running bot sees it: tools are really called, and recorded as they are."""

from __future__ import annotations

import inspect
from typing import Any

from turnlog.bots.bot import LoadedBot
from turnlog.bots.conversation import BotConversation
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event, ToolCalled, ToolReturned
from turnlog.engine.aio import AsyncTurnlog
from turnlog.errors import ToolFailed


class LiveConversation(BotConversation):
    """Over an open log.

    cause: the number of the message's event, noted in what is recorded on the bot's behalf.
    """

    def __init__(
        self, log: AsyncTurnlog, conversation: Conversation, loaded: LoadedBot, cause: int
    ) -> None:
        super().__init__(conversation)
        self._log = log
        self._loaded = loaded
        self._cause = cause
        self._calls = 0

    @property
    def now(self) -> float:
        return self._log.sync.clock()

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """Run a tool of the bot; the call is durable before it runs, its result on return."""
        self._calls += 1
        call_id = f"{self._cause}.{self._calls}"
        called = ToolCalled(tool, arguments, call_id, cause=self._cause)
        number = await self._record(called)
        result, failed = await self._run(tool, arguments)
        returned = ToolReturned(result, call_id, tool, failed or None, cause=number)
        await self._record(returned)
        if failed:
            raise ToolFailed(tool, result)
        return result

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

    async def _record(self, event: Event) -> int:
        recorded = await self._log.record(self.id, event)
        self._conversation = await self._log.conversation(self.id)
        return recorded.commits[-1].last_event

"""The conversation of a running bot: tools really run, and calls are recorded as they happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from turnlog.bots.bot import LoadedBot, run_tool
from turnlog.bots.conversation import BotConversation
from turnlog.bots.keys import call_id, call_key, return_key
from turnlog.bots.live_answer import Audience, LiveAnswer, NoAudience
from turnlog.domain.commit import Commit
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event, ToolCalled, ToolReturned
from turnlog.encoding.values import copied, same
from turnlog.engine.aio import AsyncTurnlog
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Recorded
from turnlog.errors import ToolFailed

Result = TypeVar("Result")
Insist = Callable[[Callable[[], Awaitable[Result]]], Awaitable[Result]]
"""Does work, and repeats it if the log was unreachable."""


async def once(work: Callable[[], Awaitable[Result]]) -> Result:
    """Does work once."""
    return await work()


class MadeCall(NamedTuple):
    """A recorded call: the number of its event, its id, and the event."""

    number: int
    id: str
    event: ToolCalled


Called = tuple[int, str, ToolReturned | None]
"""Number of a call's event, its id, and its result if known."""


class LiveConversation(BotConversation):
    """A bot's view of a conversation in an open log.

    cause: number of the message's event, which is noted in what is recorded for the bot. insist:
    how to record calls and results while the log is unreachable. known: the pieces of a streamed
    answer that were recorded when the bot was asked before; a bot that is asked again gets the
    recorded results of repeated calls. audience: receives what the bot streams.
    """

    def __init__(
        self,
        log: AsyncTurnlog,
        conversation: Conversation,
        loaded: LoadedBot,
        cause: int,
        insist: Insist[Any] = once,
        known: Iterable[Commit] = (),
        audience: Audience | None = None,
    ) -> None:
        super().__init__(conversation, cause)
        self._log = log
        self._loaded = loaded
        self.cause = cause
        self.last_event = conversation.state.event
        self.answer = LiveAnswer(self, known, audience or NoAudience())
        self._insist = insist
        self._calls = 0
        self._made: asyncio.Future[list[MadeCall]] | None = None
        self._running = 0
        self._waited = 0.0
        self._waits = 0
        self._waiting_since: float | None = None
        self._active = time.monotonic()

    @property
    def now(self) -> float:
        """UTC seconds of the log's clock."""
        return self._log.sync.clock()

    @property
    def waited(self) -> float:
        """Seconds for which the bot has waited for the log so far."""
        since = self._waiting_since
        return self._waited + (0.0 if since is None else time.monotonic() - since)

    def idle(self) -> float:
        """Seconds since a streaming bot last yielded or called something.

        0 while a tool runs or the log is waited for.
        """
        if not self.answer.streams or self._running or self._waiting_since is not None:
            return 0.0
        return time.monotonic() - self._active

    def note_activity(self) -> None:
        """Notes that the bot is at work."""
        self._active = time.monotonic()

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """Runs a tool of the bot. The call is durable before the tool runs, the result on return.

        Calls may run concurrently.
        """
        self.answer.check_open()
        await self.answer.end_message()
        wanted = ToolCalled(tool, arguments, cause=self.cause)
        made = await self._made_before(wanted)
        number, id, returned = await self._returned(made) if made else await self._called(wanted)
        self.note_activity()
        if returned is None:
            result, failed = await self._run(tool, arguments)
            returned = ToolReturned(result, id, tool, failed or None, cause=number)
            await self.keep(returned, return_key(id))
        if returned.is_error:
            raise ToolFailed(tool, returned.result)
        return returned.result

    async def keep(self, event: Event, key: str) -> Recorded:
        """Records an event once, however long the log is unreachable."""
        with self._waiting():
            recorded: Recorded = await self._insist(lambda: self._record(event, key))
        return recorded

    async def go_to(self, event: int) -> None:
        """Shows the conversation after an event, unless the bot has already seen later ones."""
        if event > self.last_event:
            self._conversation = await self._log.conversation(self.id, event=event)
            self.last_event = event

    async def _made_before(self, wanted: ToolCalled) -> MadeCall | None:
        """The first equal call that was recorded and not repeated yet."""
        if self._made is None:
            self._made = asyncio.ensure_future(self._insist(self._read_made))
        made = await asyncio.shield(self._made)
        found = next((call for call in made if _same_call(call.event, wanted)), None)
        if found is not None:
            made.remove(found)
        return found

    async def _read_made(self) -> list[MadeCall]:
        made = await self._log.read(lambda log: list(_made(log, self.id, self.cause)))
        self._calls = len(made)
        return made

    async def _called(self, wanted: ToolCalled) -> Called:
        """Records a new call; returns its result if another server made the call meanwhile."""
        while True:
            self._calls += 1
            id = call_id(self.cause, self._calls)
            recorded = await self.keep(replace(wanted, call_id=id), call_key(id))
            number = recorded.commits[-1].last_event
            if recorded.new:
                return number, id, None
            [stored] = recorded.events
            if isinstance(stored, ToolCalled) and _same_call(stored, wanted):
                return await self._returned(MadeCall(number, id, stored))

    async def _returned(self, call: MadeCall) -> Called:
        """An earlier call, with its result if one was recorded."""
        key = return_key(call.id)
        with self._waiting():
            commit = await self._insist(lambda: self._log.read(lambda log: log.keyed(self.id, key)))
        events = () if commit is None else commit.events
        returned = next((event for event in events if isinstance(event, ToolReturned)), None)
        await self.go_to(call.number if commit is None else commit.last_event)
        return call.number, call.id, returned

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Counts concurrent waits as one, from the start of the first to the end of the last."""
        if not self._waits:
            self._waiting_since = time.monotonic()
        self._waits += 1
        try:
            yield
        finally:
            self._waits -= 1
            if not self._waits:
                self._waited = self.waited
                self._waiting_since = None

    async def _run(self, tool: str, arguments: dict[str, Any]) -> tuple[Any, bool]:
        """The tool's result and False, or what went wrong and True."""
        self._running += 1
        try:
            return await run_tool(self._loaded, tool, arguments)
        finally:
            self._running -= 1
            self.note_activity()

    async def _record(self, event: Event, key: str) -> Recorded:
        """Records an event. If it was recorded before, the bot sees the conversation as it was
        then.
        """
        recorded = await self._log.record(self.id, event, key=key)
        last = recorded.commits[-1].last_event
        if recorded.new:
            self._conversation = await self._log.conversation(self.id)
            self.last_event = last
        else:
            await self.go_to(last)
        return recorded


def _made(log: Turnlog, id: str, message: int) -> Iterator[MadeCall]:
    """The recorded calls of the answer to a message, in order."""
    for call in count(1):
        its_id = call_id(message, call)
        commit = log.keyed(id, call_key(its_id))
        if commit is None:
            return
        events = commit.recorded_events()
        yield from (
            MadeCall(each.number, its_id, each.event)
            for each in events
            if isinstance(each.event, ToolCalled)
        )


def _same_call(stored: ToolCalled, called: ToolCalled) -> bool:
    return stored.name == called.name and same(copied(stored.arguments), copied(called.arguments))

"""The conversation that a bot sees in a replay: its past and its tool results are the record's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from turnlog.bots.bot import LoadedBot, run_tool
from turnlog.bots.conversation import BotConversation
from turnlog.bots.streaming import Draft
from turnlog.domain.commit import Commit
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event, ToolCalled, ToolReturned
from turnlog.encoding.checking import checked
from turnlog.errors import ToolFailed
from turnlog.replay.record.calls import Recorded, RecordedCalls


class RecordedAnswer:
    """Listens to a bot that yields. events: what it said, in the form in which the log
    stores it.
    """

    def __init__(self, stage: Callable[[Event], Sequence[Event]]) -> None:
        self._stage = stage
        self._draft = Draft()
        self.events: list[Event] = []
        self.streams = False

    async def begin(self) -> None:
        """The bot streams its answer."""
        self.streams = True

    async def chunk(self, text: str) -> None:
        """A piece of a message."""
        self._draft.add(text)

    async def take(self, event: Event) -> None:
        """An event: ends the current message and is added after it."""
        await self.end_message(event)
        self.events += self._stage(event)

    async def end_message(self, event: Event | None = None) -> None:
        """Complete the current message, if there is one."""
        if (whole := self._draft.ended(event)) is not None:
            self.events += self._stage(whole)


class RecordedConversation(BotConversation):
    """Reads no clock and calls no tool unless `live` is given.

    conversation: as it was at the message; it is changed and must not be saved. calls: the recorded
    calls of the turn, in order, with their results. now: the message's time. live: a bot whose
    tools really run.
    """

    def __init__(
        self,
        conversation: Conversation,
        calls: Sequence[Recorded],
        now: float,
        live: LoadedBot | None = None,
    ) -> None:
        super().__init__(conversation)
        self._live = live
        self._unused = RecordedCalls(calls)
        self._now = now
        self.called: list[Event] = []
        """The calls that the bot made."""
        self.answer = RecordedAnswer(self._said)

    @property
    def now(self) -> float:
        """The message's time."""
        return self._now

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """The recorded result of this call, or of the next call of this tool if none is equal."""
        await self.answer.end_message()
        (wanted,) = checked(self.id, [ToolCalled(tool, arguments)])
        assert isinstance(wanted, ToolCalled)
        if self._live is not None:
            return await self._run(self._live, wanted)
        pair = self._unused.take(wanted)
        if pair is None:
            self._record(wanted)
            raise ToolFailed(tool, "the record has no result for this call")
        call, returned = pair
        self._record(ToolCalled(tool, wanted.arguments, call.call_id, timestamp=call.timestamp))
        if returned is None:
            raise ToolFailed(tool, "the recorded call has no result")
        caused = replace(returned, cause=self._conversation.state.event)
        self._conversation.stage(caused, recorded=0.0)
        if returned.is_error:
            raise ToolFailed(tool, returned.result)
        return returned.result

    async def _run(self, live: LoadedBot, wanted: ToolCalled) -> Any:
        self._record(wanted)
        number = self._conversation.state.event
        result, failed = await run_tool(live, wanted.name, wanted.arguments or {})
        returned = ToolReturned(result, None, wanted.name, failed or None, cause=number)
        (kept,) = checked(self.id, [returned])
        self._stage(kept)
        if failed:
            raise ToolFailed(wanted.name, result)
        return result

    def _said(self, event: Event) -> Sequence[Event]:
        (kept,) = checked(self.id, [event])
        return self._stage(kept).events

    def _record(self, call: ToolCalled) -> None:
        self._stage(call)
        self.called.append(call)

    def _stage(self, event: Event) -> Commit:
        """As a live runner records it, with its cause."""
        caused = event if event.cause else replace(event, cause=self._message)
        return self._conversation.stage(caused, recorded=0.0, now=self.now)

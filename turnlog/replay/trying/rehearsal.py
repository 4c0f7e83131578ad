"""A bot continues on its own, in memory: each message is answered after what the bot said
itself.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import redirect_stdout
from typing import Any, TypeVar
from uuid import uuid4

from msgspec.structs import replace

from turnlog.bots import LoadedBot, ask
from turnlog.bots.bot import run_tool
from turnlog.bots.keys import call_id
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import (
    AnswerEnded,
    BotFailed,
    Event,
    ToolCalled,
    ToolReturned,
    UserUttered,
)
from turnlog.domain.values import same
from turnlog.encoding.checking import checked
from turnlog.errors import BotError, ConversationError, ToolFailed
from turnlog.replay.record.recorded import RecordedConversation
from turnlog.replay.running.settings import ANSWER_SECONDS
from turnlog.replay.running.watchdog import Stuck, watched_alone
from turnlog.replay.trying.results import RecordedResults

Result = TypeVar("Result")


class Rehearsal:
    """One bot in one conversation; stores nothing.

    conversation: at the moment from which the bot continues; it is changed. results: answer the
    bot's calls; None runs its tools. timeout: seconds for an answer.
    """

    def __init__(
        self,
        conversation: Conversation,
        loaded: LoadedBot,
        results: RecordedResults | None,
        *,
        timeout: float = ANSWER_SECONDS,
    ) -> None:
        self.conversation = conversation
        self.loaded = loaded
        self.results = results
        self.sender = f"trial-{uuid4()}" if loaded.remembers else conversation.id
        self.timeout = timeout
        self.events: list[Event] = []
        """All new events, oldest first."""

    def keep(self, events: Iterable[Event], now: float | None = None) -> Sequence[Event]:
        """Add events in the form in which the log stores them. Raises InvalidEvent, and
        adds none.
        """
        kept = checked(self.conversation.id, events)
        staged = self.conversation.stage(*kept, recorded=0.0, now=now).events if kept else ()
        self.events += staged
        return staged

    async def say(self, message: UserUttered, turn: int = 0) -> list[Event]:
        """The bot's answer to a message, its calls first; a BotFailed if it gives none.

        turn: the message's turn in the record.
        """
        self.keep([message])
        view = RehearsedConversation(self, message, turn)
        try:
            with watched_alone(view.id, self.timeout):
                answer: Sequence[Event] = await ask(
                    self.loaded.bot, view, message, self.timeout, view.answer
                )
        except Stuck:
            answer = [BotFailed("timeout", f"no answer within {self.timeout:g} s; it blocked")]
        try:
            await view.answer.end_message()
            answer = view.keep(answer)
        except ConversationError as error:
            answer = view.keep([BotFailed("error", f"its answer cannot be recorded: {error}")])
        ended = view.keep([AnswerEnded()]) if view.answer.streams else ()
        return [*view.called, *view.answer.events, *answer, *ended]

    async def begin(self, events: Iterable[Event] = ()) -> None:
        """Add more of the past; a bot behind a URL receives the messages."""
        self.keep(events)
        if self.loaded.remembers:
            past = [e for e in self.conversation.events() if isinstance(e, UserUttered)]
            for message in past:
                view = RehearsedConversation(self, message, 0)
                await ask(self.loaded.bot, view, message, self.timeout)


class RehearsedConversation(RecordedConversation):
    """The conversation as the bot sees it at a message of a recorded turn."""

    def __init__(self, rehearsal: Rehearsal, message: UserUttered, turn: int) -> None:
        super().__init__(rehearsal.conversation, (), message.timestamp or 0.0)
        self._rehearsal = rehearsal
        self._time = message.timestamp
        self._turn = turn

    @property
    def id(self) -> str:
        """The sender id that the bot sees."""
        return self._rehearsal.sender

    def keep(self, events: Iterable[Event]) -> Sequence[Event]:
        """Add the bot's answer to the message."""
        caused = [event if event.cause else replace(event, cause=self._message) for event in events]
        return self._rehearsal.keep(caused, self._time)

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """The recorded result of an equal call, or the tool's own. Raises ToolFailed."""
        await self.answer.end_message()
        call = ToolCalled(tool, arguments, call_id(self._message, len(self.called) + 1))
        made = sum(_is_same(each, call) for each in self.called)
        self.called += self.keep([call])
        number = self._conversation.state.event
        returned = await self._returned(call, made)
        if returned is None:
            raise ToolFailed(tool, "the record has no result for this call")
        self.keep([replace(returned, call_id=call.call_id, timestamp=None, cause=number)])
        if returned.is_error:
            raise ToolFailed(tool, returned.result)
        return returned.result

    async def _returned(self, call: ToolCalled, made: int) -> ToolReturned | None:
        results = self._rehearsal.results
        if results is not None:
            return results.of(call, self._turn, made)
        result, failed = await run_tool(self._rehearsal.loaded, call.name, call.arguments)
        return ToolReturned(result, None, call.name, failed or None)

    def _said(self, event: Event) -> Sequence[Event]:
        return self.keep([event])


def _is_same(one: Event, other: ToolCalled) -> bool:
    assert isinstance(one, ToolCalled)
    return one.name == other.name and same(one.arguments, other.arguments)


def performed(rehearsing: Coroutine[Any, Any, Result], *bots: LoadedBot | None) -> Result:
    """The result of what bots do in a separate event loop; their output goes to stderr.

    Raises BotError if a bot does not stop.
    """
    try:
        with redirect_stdout(sys.stderr):
            return asyncio.run(_closing(rehearsing, bots))
    except Stuck as error:
        raise BotError("the bot does not stop") from error


async def _closing(
    rehearsing: Coroutine[Any, Any, Result], bots: Iterable[LoadedBot | None]
) -> Result:
    """The result, once the connections of the loop are closed."""
    try:
        return await rehearsing
    finally:
        for bot in bots:
            if bot is not None and (close := getattr(bot.bot, "aclose", None)) is not None:
                await close()

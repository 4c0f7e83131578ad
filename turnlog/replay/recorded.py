"""The conversation as a bot sees it in replay: its past is the record, and so are tool results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnlog.bots.conversation import BotConversation
from turnlog.domain.conversation import Conversation
from turnlog.domain.events import Event, ToolCalled, ToolReturned
from turnlog.domain.values import same
from turnlog.encoding import binary
from turnlog.errors import ToolFailed

Recorded = tuple[ToolCalled, ToolReturned | None]


class RecordedConversation(BotConversation):
    """Asks no tool and reads no clock.

    conversation: as it was with the message, to be written into: nobody saves it. calls: the
    recorded calls of the turn, in order, with their results. now: the message's time.
    """

    def __init__(self, conversation: Conversation, calls: Sequence[Recorded], now: float) -> None:
        super().__init__(conversation)
        self._unused = list(calls)
        self._now = now
        self.called: list[Event] = []
        """The calls that the bot made."""

    @property
    def now(self) -> float:
        return self._now

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """The recorded result of this call; of the next one of this tool where none is equal."""
        (wanted,) = binary.checked(self.id, [ToolCalled(tool, arguments)])
        assert isinstance(wanted, ToolCalled)
        pair = self._recorded(wanted)
        if pair is None:
            self._record(wanted)
            raise ToolFailed(tool, "the record has no answer to this call")
        self._unused.remove(pair)
        call, returned = pair
        self._record(ToolCalled(tool, wanted.arguments, call.call_id))
        if returned is None:
            raise ToolFailed(tool, "the recorded call was never answered")
        self._conversation.stage(returned, recorded=0.0)
        if returned.is_error:
            raise ToolFailed(tool, returned.result)
        return returned.result

    def _record(self, call: ToolCalled) -> None:
        self._conversation.stage(call, recorded=0.0, now=self.now)
        self.called.append(call)

    def _recorded(self, wanted: ToolCalled) -> Recorded | None:
        of_tool = [pair for pair in self._unused if pair[0].name == wanted.name]
        equal = [p for p in of_tool if same(p[0].arguments or {}, wanted.arguments or {})]
        return next(iter(equal or of_tool), None)

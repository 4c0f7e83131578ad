"""What a conversation's events say, as LangGraph's messages."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import msgspec
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from turnlog.agents.langgraph.message_list import MessageItem
from turnlog.agents.langgraph.messages import langchain
from turnlog.agents.langgraph.pattern import SHAPES, Pattern
from turnlog.agents.langgraph.values import ValueCodec
from turnlog.domain import events as e
from turnlog.domain.message import Message
from turnlog.domain.messages import NEW_MESSAGE, messages
from turnlog.domain.skeletons import filled


class Spoken:
    """The events of a thread, and the messages that they form.

    recorded: returns all events as they were recorded; None if none of them is hidden.
    """

    def __init__(self, id: str) -> None:
        self._id = id
        self.recorded: Callable[[], Iterable[e.Event]] | None = None
        self._original: Spoken | None = None
        self._hidden: dict[str | None, Any] | None = None
        self._events: dict[int, e.Event] = {}
        self._own: list[range] = []
        self._said: dict[int, Message] = {}

    def take(self, number: int, event: e.Event) -> None:
        """Adds an event."""
        self._events[number] = event
        self._original = None

    def own(self, numbers: range) -> None:
        """Notes that the newest events, with these numbers, are the messages of one checkpoint."""
        self._own.append(numbers)

    def pattern(self, item: MessageItem, values: ValueCodec) -> Pattern:
        """The message of an item."""
        if item.pattern is None:
            item.pattern = self._plain(item) or Pattern.of(self._built(item, values))
        return item.pattern

    def says(self, item: MessageItem, message: BaseMessage, values: ValueCodec) -> bool:
        """Whether an item is a message, or was before a redaction.

        A client that still has the words must not record them again.
        """
        if self.pattern(item, values).says(message):
            return True
        if self.recorded is None:
            return False
        stored = MessageItem(item.raw, item.event, item.rest)
        return self._as_recorded(self.recorded()).pattern(stored, values).says(message)

    def hides(self, message: Message) -> bool:
        """Whether a message was said before and is hidden now."""
        if self._hidden is None:
            self._hidden = self._found_hidden()
        return message.id is not None and self._hidden.get(message.id) == message.parts

    def _found_hidden(self) -> dict[str | None, Any]:
        """The hidden parts of messages, by id. Computed once: a thread is read again after a
        redaction.
        """
        if self.recorded is None:
            return {}
        shown = {message.event: message.parts for message in self._every().values()}
        every = self._as_recorded(self.recorded())._every().values()
        return {m.id: m.parts for m in every if shown.get(m.event) != m.parts}

    def _as_recorded(self, events: Iterable[e.Event]) -> Spoken:
        """The same events, with the words that were redacted."""
        if self._original is None:
            self._original = Spoken(self._id)
            self._original._own = self._own
            for number, event in enumerate(events, 1):
                if number in self._events:
                    self._original.take(number, event)
        return self._original

    def _built(self, item: MessageItem, values: ValueCodec) -> BaseMessage:
        if item.rest is not None:
            found: BaseMessage = values.value(filled(item.rest, self._events.get))
            return found
        return langchain(self.said(item.event), self.made_id(item.event))[0]

    def _plain(self, item: MessageItem) -> Pattern | None:
        """The pattern of a message of which one event says text and id, without building the
        message.
        """
        number, event = item.event, self._events.get(item.event)
        kind = _PLAIN.get(type(event)) if item.rest is None else None
        if kind is None or number not in self._around(number) or not self._ends(number + 1):
            return None
        assert isinstance(event, e.UserUttered | e.BotUttered)
        text, id = event.text, event.message_id
        mark = event.extra if event.extra == _MARK else None
        if event != type(event)(text, message_id=id, timestamp=event.timestamp, extra=mark):
            return None
        return Pattern(SHAPES[kind], text or "", id or self.made_id(number))

    def _ends(self, number: int) -> bool:
        """Whether an event certainly belongs to no message that began before it."""
        event = self._events.get(number)
        return event is None or (type(event) in _PLAIN and event.cause is None)

    def _around(self, number: int) -> range:
        """The numbers of the checkpoint's events among which an event is; an earlier range
        otherwise.
        """
        place = bisect_right(self._own, number, key=_first)
        return self._own[place - 1] if place else range(0)

    def first(self, number: int) -> int:
        """The first event of the message that begins with an event, or of those that it sums up."""
        event = self._events.get(number)
        return event.first if isinstance(event, e.HistoryCompacted) else number

    def said(self, number: int) -> Message:
        """The message that begins with an event."""
        if number not in self._said and number in (own := self._around(number)):
            self._said.update(self._messages(each for each in own if each in self._events))
        if number not in self._said:
            self._said = {**self._every(), **self._said}
        return self._said.get(number) or Message("user", event=number)

    def _every(self) -> dict[int, Message]:
        return self._messages(sorted(self._events))

    def _messages(self, numbers: Iterable[int]) -> dict[int, Message]:
        numbered = [(number, self._events[number]) for number in numbers]
        return {message.event or 0: message for message in messages(numbered)}

    def made_id(self, number: int) -> str:
        """The id of a message that others recorded without one."""
        return f"{self._id}:{number}"

    def time(self, number: int) -> float:
        """When an event happened, in UTC seconds."""
        event = self._events.get(number)
        return (event.timestamp if event is not None else None) or 0.0

    def value(self, raw: bytes, values: ValueCodec) -> Any:
        """The value of a channel or of a write."""
        return values.value(filled(msgspec.json.decode(raw), self._events.get))


_MARK = {NEW_MESSAGE: True}
_PLAIN: dict[type, type[BaseMessage]] = {
    e.UserUttered: HumanMessage,
    e.BotUttered: AIMessage,
}
_first = attrgetter("start")

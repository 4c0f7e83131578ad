"""What others recorded, as a checkpoint that continues LangGraph's newest one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zlib import crc32

import msgspec
from langchain_core.messages import BaseMessage

from turnlog.agents.langgraph.bodies import KeptCheckpoint, ListTail
from turnlog.agents.langgraph.message_list import MessageItem, MessageList
from turnlog.agents.langgraph.messages import langchain
from turnlog.agents.langgraph.pattern import Pattern
from turnlog.agents.langgraph.spoken import Spoken
from turnlog.agents.langgraph.thread import GraphThread
from turnlog.agents.langgraph.values import TAG, ValueCodec
from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.message import Message
from turnlog.domain.plain import dumps
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.skeletons import NAMES, skeleton

NAMED = NAMES | {TAG}
"""Keys whose texts stay in a skeleton."""


class Offering:
    """Makes a checkpoint of what others recorded.

    channel: the one with the messages. version: computes the next version of a channel.
    """

    def __init__(
        self,
        conversation: Conversation,
        channel: str,
        values: ValueCodec,
        version: Callable[[Any], Any],
    ) -> None:
        self._conversation, self._channel = conversation, channel
        self._values, self._version = values, version

    def checkpoint(
        self, thread: GraphThread, newest: KeptCheckpoint | None
    ) -> KeptCheckpoint | None:
        """The checkpoint to offer; None if the newest one already includes everything or has no
        messages.
        """
        seen = 0 if newest is None else newest.seen
        foreign = thread.foreign.after(seen)
        held = {} if newest is None else thread.held(newest)
        before = held.get(self._channel, [] if newest is None else None)
        if not foreign or not isinstance(before, list | MessageList):
            return None
        old = [*before] if isinstance(before, MessageList) else []
        now = _Now(thread.spoken, self._conversation, self._values, frozenset(foreign), seen)
        items = [*now.still(old), *now.added()]
        if [item.raw for item in items] == [item.raw for item in old]:
            thread.foreign.forget(foreign[-1])
            return None
        return self._made(thread, newest, _tail(old, items), foreign[-1])

    def _made(
        self, thread: GraphThread, newest: KeptCheckpoint | None, tail: ListTail, upto: int
    ) -> KeptCheckpoint:
        metadata: dict[str, Any] = {} if newest is None else newest.metadata
        return KeptCheckpoint(
            made_id(thread.id, newest, upto),
            parent=None if newest is None else newest.id,
            base=0 if newest is None else thread.numbers["", newest.id],
            seen=upto,
            said=self._channel,
            state=self._state(newest, thread.spoken.time(upto)),
            metadata={
                "source": "update",
                "step": metadata.get("step", -2) + 1,
                "parents": metadata.get("parents", {}),
            },
            lists={self._channel: tail},
        )

    def _state(self, newest: KeptCheckpoint | None, time: float) -> dict[str, Any]:
        state: dict[str, Any] = {"v": 2, "versions_seen": {}} if newest is None else newest.state
        versions: dict[str, Any] = {**state.get("channel_versions", {})}
        versions[self._channel] = self._version(max(versions.values(), default=None))
        return {
            **state,
            "ts": datetime.fromtimestamp(time, UTC).isoformat(),
            "channel_versions": versions,
            "updated_channels": [self._channel],
        }


class _Now:
    """A conversation's current messages, next to those that a checkpoint had."""

    def __init__(
        self,
        spoken: Spoken,
        conversation: Conversation,
        values: ValueCodec,
        foreign: frozenset[int],
        seen: int,
    ) -> None:
        self._spoken, self._values, self._foreign = spoken, values, foreign
        self._recorded: list[RecordedEvent] = list(conversation.recorded())
        self._messages = {m.event or 0: m for m in conversation.messages()}
        self._edits = {
            r.event.message: (r.number, r.event)
            for r in self._recorded
            if isinstance(r.event, e.MessageEdited | e.MessageRegenerated) and r.number > seen
        }

    def still(self, items: list[MessageItem]) -> Iterator[MessageItem]:
        """The items that were not retracted, with later edits."""
        for item in items:
            if self._recorded[item.event - 1].taken_back is None:
                yield self._edited(item) if item.event in self._edits else item

    def _edited(self, item: MessageItem) -> MessageItem:
        if (message := self._messages.get(item.event)) is None:
            return item
        changed = self._spoken.pattern(item, self._values).copy()
        changed.content = message.text
        plain = skeleton(self._values.plain(changed), [self._edits[item.event]], NAMED)
        return MessageItem.of(dumps([item.event, plain]))

    def added(self) -> Iterator[MessageItem]:
        for number, message in self._messages.items():
            if number in self._foreign:
                yield from self._items(number, message)

    def _items(self, number: int, message: Message) -> Iterator[MessageItem]:
        made = langchain(message, self._spoken.made_id(number))
        said = langchain(self._spoken.said(number), self._spoken.made_id(number))
        if len(made) == len(said) == 1 and Pattern.of(made[0]).says(said[0]):
            yield MessageItem.of(dumps(number))
            return
        for each in made:
            yield MessageItem.of(dumps([number, self._without_words(number, each)]))

    def _without_words(self, number: int, message: BaseMessage) -> Any:
        following = min((n for n in self._messages if n > number), default=len(self._recorded) + 1)
        its = [(r.number, r.event) for r in self._recorded[number - 1 : following - 1]]
        edit = [self._edits[number]] if number in self._edits else []
        return skeleton(self._values.plain(message), [*its, *edit], NAMED)


def _tail(old: list[MessageItem], items: list[MessageItem]) -> ListTail:
    kept = 0
    for one, other in zip(old, items, strict=False):
        if one.raw != other.raw:
            break
        kept += 1
    return ListTail(kept, [msgspec.Raw(item.raw) for item in items[kept:]])


def made_id(conversation: str, newest: KeptCheckpoint | None, event: int) -> str:
    """An id of conversation and event, right after the newest checkpoint's and before any later
    one.
    """
    time = 0 if newest is None else _time(newest.id) + 1
    high = (time >> 12) << 16 | 0x6000 | time & 0xFFF
    clock = 0x8000 | crc32(conversation.encode("utf-8", "surrogatepass")) & 0x3FFF
    return str(UUID(int=high << 64 | clock << 48 | event & 0xFFFFFFFFFFFF))


def _time(id: str) -> int:
    """The time of a UUID of version 6, in units of 100 ns; 0 for any other id."""
    try:
        high = UUID(id).int >> 64
    except ValueError:
        return 0
    return (high >> 16) << 12 | high & 0xFFF

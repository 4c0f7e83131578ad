"""A channel of messages, each as stored, and as a message from its first use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from langchain_core.messages import BaseMessage

from turnlog.agents.langgraph.pattern import Items, Pattern, Shape, copies


class MessageItem(msgspec.Struct, eq=False, gc=False):
    """A message in a channel.

    event: number of the first event that says it. rest: the message without the words of events, if
    those do not say all of it.
    """

    raw: bytes
    event: int
    rest: Any = None
    pattern: Pattern | None = None

    @classmethod
    def of(cls, raw: bytes) -> MessageItem:
        """The item stored as `raw`."""
        return cls(raw, int(raw)) if raw.isdigit() else cls(raw, *msgspec.json.decode(raw))


class MessageList:
    """Items in order, with columns of what is read and compared at every turn."""

    def __init__(self) -> None:
        self._items: list[MessageItem] = []
        self._shapes: list[Shape] = []
        self._contents: list[Any] = []
        self._ids: list[str | None] = []
        self._others: list[Items] = []
        self._types: list[type[BaseMessage]] = []
        self._fields: list[dict[str, Any]] = []
        self._deep: list[tuple[int, Pattern]] = []
        self._columns: tuple[list[Any], ...] = (
            self._shapes, self._contents, self._ids, self._others, self._types, self._fields,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[MessageItem]:
        return iter(self._items)

    def after(self, kept: int) -> list[MessageItem]:
        """The items after the first `kept`."""
        return self._items[kept:]

    def go_on(self, kept: int, items: Iterable[MessageItem]) -> None:
        """Keeps the first `kept` items and appends others."""
        if kept < len(self._items):
            for each in (self._items, *self._columns):
                del each[kept:]
            self._deep = [each for each in self._deep if each[0] < kept]
        self._items += items

    def copies(self, pattern: Callable[[MessageItem], Pattern]) -> list[BaseMessage]:
        """The messages as copies, which the caller may change. pattern: makes the message of an
        item.
        """
        for item in self._items[len(self._shapes) :]:
            found = pattern(item)
            self._shapes.append(found.shape)
            self._contents.append(found.content)
            self._ids.append(found.id)
            self._others.append(found.others)
        return copies(self._shapes, self._contents, self._ids, self._others)

    def same(
        self,
        value: list[Any],
        pattern: Callable[[MessageItem], Pattern],
        says: Callable[[MessageItem, BaseMessage], bool],
    ) -> int:
        """How many messages at the beginning equal those of `value`, by type and by value.

        pattern: makes the message of an item. says: whether an item is a message.
        """
        for place in range(len(self._types), len(self._items)):
            found = pattern(self._items[place])
            self._types.append(found.type)
            self._fields.append(found.fields)
            if found.deep:
                self._deep.append((place, found))
        first = min(len(self), len(value))
        if self._are(value[:first]):
            return first
        every = enumerate(zip(self._items, value, strict=False))
        return next((n for n, (item, one) in every if not says(item, one)), first)

    def _are(self, value: list[Any]) -> bool:
        """Compares all messages in a few passes, because a thread is compared at every turn."""
        count = len(value)
        if [each.__class__ for each in value] != self._types[:count]:
            return False
        fields = [each.__dict__ for each in value if not each.__pydantic_extra__]
        return fields == self._fields[:count] and all(
            pattern.says(value[place]) for place, pattern in self._deep if place < count
        )

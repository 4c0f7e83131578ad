"""How one list of messages became the next."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from langchain_core.messages import BaseMessage

from turnlog.agents.langgraph.message_list import MessageItem, MessageList
from turnlog.agents.langgraph.spoken import Spoken
from turnlog.agents.langgraph.values import ValueCodec


class BodyChange:
    """How the messages of a checkpoint became those of the next.

    kept: how many are unchanged at the beginning. summary: the message after them that replaces
    omitted ones. moved: further items that are unchanged. new: the messages after those. left_out:
    numbers of the first and the last event of the omitted messages that precede the moved ones.
    back: number of the event before the retracted messages; a message that was removed while later
    ones stayed does not count as retracted.
    """

    def __init__(
        self, old: MessageList, value: list[Any], spoken: Spoken, values: ValueCodec
    ) -> None:
        self._old, self._value, self._spoken = old, value, spoken
        self._pattern = partial(spoken.pattern, values=values)
        self._says = partial(spoken.says, values=values)
        self.kept = old.same(value, self._pattern, self._says)
        self.summary: BaseMessage | None = None
        self.moved: list[MessageItem] = []
        self.new: list[BaseMessage] = []
        self.left_out: tuple[int, int] | None = None
        self.back: int | None = None

    def compare(self) -> bool:
        """Finds what is new; false if an item is not a message."""
        if not all(isinstance(item, BaseMessage) for item in self._value[self.kept :]):
            return False
        old, new = self._old.after(self.kept), self._value[self.kept :]
        if not self._sums_up(old, new):
            self.moved, self.new, gone = self._compared(old, new)
            if gone:
                self.back = min(item.event for item in gone) - 1
                self._record_again(self.back)
            else:
                self.left_out = self._span(old)
        return True

    def _sums_up(self, old: list[MessageItem], new: list[BaseMessage]) -> bool:
        """Whether the first new message replaces some messages before others that stay."""
        ids = {self._pattern(item).id for item in old}
        if not old or not new or not new[0].text or new[0].id in ids:
            return False
        self.moved, self.new, gone = self._compared(old, new[1:])
        self.left_out = None if gone else self._span(old)
        self.summary = None if self.left_out is None else new[0]
        return self.summary is not None

    def _span(self, old: list[MessageItem]) -> tuple[int, int] | None:
        """Numbers of the first and last event of the messages omitted before the moved ones."""
        if not self.moved or self.moved[0] is old[0]:
            return None
        left_out = old[: old.index(self.moved[0])]
        first = min(self._spoken.first(item.event) for item in left_out)
        last = self.moved[0].event - 1
        return (first, last) if first <= last else None

    def _compared(
        self, old: list[MessageItem], new: list[BaseMessage]
    ) -> tuple[list[MessageItem], list[BaseMessage], list[MessageItem]]:
        """The moved items, the new messages, and the old items after the last moved one."""
        if not old:
            return [], new, []
        ids = {message.id for message in new}
        moved: list[MessageItem] = []
        last = at = 0
        while len(moved) < len(new):
            while at < len(old) and self._pattern(old[at]).id not in ids:
                at += 1
            if at == len(old) or not self._says(old[at], new[len(moved)]):
                break
            moved.append(old[at])
            last = at = at + 1
        return moved, new[len(moved) :], old[last:]

    def _record_again(self, back: int) -> None:
        """Records messages again that stay but were recorded after `back`."""
        staying: Sequence[MessageItem] = [*[*self._old][: self.kept], *self.moved]
        late = next((n for n, item in enumerate(staying) if item.event > back), None)
        if late is not None:
            self.kept = min(self.kept, late)
            self.moved = self.moved[: max(0, late - self.kept)]
            self.new = self._value[late:]

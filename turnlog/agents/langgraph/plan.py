"""What is recorded for a checkpoint: its new messages, then the rest as a skeleton."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from langchain_core.messages import BaseMessage
from msgspec.structs import replace

from turnlog.agents.langgraph.bodies import CHECKPOINT, SOURCE, Checkpoint, Tail
from turnlog.agents.langgraph.messages import equal, langchain, said
from turnlog.agents.langgraph.offer import NAMED
from turnlog.agents.langgraph.thread import Held, Item, Thread
from turnlog.agents.langgraph.values import Values
from turnlog.domain.events import Event, ForeignRecorded, HistoryContinued
from turnlog.domain.message_recording import recorded_as
from turnlog.domain.messages import messages
from turnlog.domain.plain import dumps
from turnlog.domain.skeletons import skeleton

Numbered = tuple[int, Event]


def stored(body: msgspec.Struct, kind: str) -> ForeignRecorded:
    return ForeignRecorded(SOURCE, kind, msgspec.json.encode(body))


class Plan:
    """The events of one checkpoint, given where its thread stands.

    after: number of the conversation's last event. channel: of the messages, in the root
    namespace. parent: None where the checkpoint has none, or one that is not known.
    """

    def __init__(
        self, thread: Thread, values: Values, channel: str, parent: Checkpoint | None, after: int
    ) -> None:
        self._thread, self._values, self._channel = thread, values, channel
        self._parent = parent
        self._held: dict[str, Held] = {} if parent is None else thread.held(parent)
        self._after = after
        self.events: list[Event] = []

    def take(self, checkpoint: Checkpoint, found: dict[str, Any], changed: frozenset[str]) -> None:
        """found: the values of the channels; changed: those that have a new version."""
        kept = {name for name in found if self._is_kept(name, checkpoint, changed)}
        lists: dict[str, Tail] = {}
        values: dict[str, msgspec.Raw] = {}
        texts = [n for n in found.keys() - kept if self._is_said(n, checkpoint, found[n])]
        for name in texts:
            lists[name] = self._said(found[name])
        for name in found.keys() - kept - set(texts):
            if type(found[name]) is list:
                lists[name] = self._tail(name, found[name])
            else:
                values[name] = self._raw(found[name])
        body = replace(
            checkpoint,
            base=None if self._parent is None else self._parent.id,
            first=self._after + 1 if self.events else 0,
            said=next(iter(texts), None),
            values=values,
            lists=lists,
            gone=sorted(self._held.keys() - found.keys()),
        )
        self.events.append(stored(body, CHECKPOINT))

    def _is_kept(self, name: str, checkpoint: Checkpoint, changed: frozenset[str]) -> bool:
        if name in changed or name not in self._held or self._parent is None:
            return False
        before = self._parent.state.get("channel_versions") or {}
        now = checkpoint.state.get("channel_versions") or {}
        return name in before and before[name] == now.get(name)

    # --- values ---------------------------------------------------------------------------------

    def _raw(self, value: Any) -> msgspec.Raw:
        return msgspec.Raw(dumps(skeleton(self._values.plain(value), self._numbered(), NAMED)))

    def _numbered(self) -> list[Numbered]:
        return list(enumerate(self.events, self._after + 1))

    def _tail(self, name: str, value: list[Any]) -> Tail:
        plain = (skeleton(self._values.plain(item), (), NAMED) for item in value)
        items = [msgspec.Raw(dumps(item)) for item in plain]
        before = self._held.get(name)
        old = before if isinstance(before, list) else []
        kept = 0
        for one, other in zip(old, items, strict=False):
            if not isinstance(one, msgspec.Raw) or bytes(one) != bytes(other):
                break
            kept += 1
        return Tail(kept, items[kept:])

    # --- messages -------------------------------------------------------------------------------

    def _is_said(self, name: str, checkpoint: Checkpoint, value: Any) -> bool:
        return (
            name == self._channel
            and not checkpoint.ns
            and type(value) is list
            and all(isinstance(item, BaseMessage) for item in value)
        )

    def _said(self, value: list[BaseMessage]) -> Tail:
        before = self._held.get(self._channel)
        old = [item for item in before or () if isinstance(item, Item)]
        change = Change(old, value, lambda item: self._thread.built(item, self._values))
        self._go_back(change)
        own = [msgspec.Raw(item.raw) for item in change.moved]
        own += [msgspec.Raw(raw) for raw in self._recorded(change.new)]
        return Tail(change.kept, own)

    def _go_back(self, change: Change) -> None:
        """To where the messages go on from, if that is not the conversation's end."""
        backs = [back for back in (self._branched(), change.back) if back is not None]
        if backs:
            self.events.append(HistoryContinued(min(backs)))

    def _branched(self) -> int | None:
        """The event that the parent ends with, where another checkpoint came after it."""
        thread, parent = self._thread, self._parent
        tip = thread.tip
        if parent is None or tip is None or parent is tip:
            return None
        number = thread.numbers.get((parent.ns, parent.id))
        return number if number is not None and number < thread.foreign.last else None

    def _recorded(self, new: Sequence[BaseMessage]) -> Iterator[bytes]:
        """Items of messages that are recorded now."""
        first = self._after + len(self.events) + 1
        events = list(recorded_as([said(message) for message in new], first))
        self.events += events
        numbered = list(enumerate(events, first))
        found = list(messages(numbered))
        ends = [message.event or 0 for message in found] + [first + len(events)]
        for message, read, (begin, end) in zip(new, found, pairwise(ends), strict=True):
            made = langchain(read, self._thread.made_id(begin))
            if len(made) == 1 and equal(made[0], message):
                yield dumps(begin)
            else:
                its = numbered[begin - first : end - first]
                yield dumps([begin, skeleton(self._values.plain(message), its, NAMED)])


class Change:
    """How a list of messages became another.

    kept: how many at the beginning are the same. moved: the further items that are. new: the
    messages after them. back: number of the event before those that are taken back; a message that
    was removed while later ones stayed is not.
    """

    def __init__(self, old: list[Item], value: list[BaseMessage], built: Any) -> None:
        self._old, self._value = old, value
        self._built = built
        self.kept = 0
        for item, message in zip(old, value, strict=False):
            if not self._same(item, message):
                break
            self.kept += 1
        self.moved, self.new, gone = self._compared()
        self.back = min((item.event for item in gone), default=None)
        if self.back is not None:
            self.back -= 1
            self._record_again(self.back)

    def _same(self, item: Item, message: BaseMessage) -> bool:
        one: BaseMessage = self._built(item)
        return one is message or equal(one, message)

    def _compared(self) -> tuple[list[Item], list[BaseMessage], list[Item]]:
        """The items that moved up, the new messages, and the items that nothing came after."""
        old, new = self._old[self.kept :], self._value[self.kept :]
        if not old:
            return [], new, []
        ids = {message.id for message in new}
        moved: list[Item] = []
        last = at = 0
        while len(moved) < len(new):
            while at < len(old) and self._built(old[at]).id not in ids:
                at += 1
            if at == len(old) or not self._same(old[at], new[len(moved)]):
                break
            moved.append(old[at])
            last = at = at + 1
        return moved, new[len(moved) :], old[last:]

    def _record_again(self, back: int) -> None:
        """What stays but was recorded after that event is recorded once more."""
        staying = [*self._old[: self.kept], *self.moved]
        late = next((n for n, item in enumerate(staying) if item.event > back), None)
        if late is not None:
            self.kept = min(self.kept, late)
            self.moved = self.moved[: max(0, late - self.kept)]
            self.new = self._value[late:]

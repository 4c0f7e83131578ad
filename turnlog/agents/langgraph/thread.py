"""A thread of LangGraph: what its conversation's events say of checkpoints and writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import RLock
from typing import Any

import msgspec
from langgraph.checkpoint.base import writes_sort_key

from turnlog.agents.foreign import Foreign
from turnlog.agents.langgraph.bodies import (
    CHECKPOINT,
    HIDDEN,
    SOURCE,
    WRITES,
    Hidden,
    KeptCheckpoint,
    Key,
    Write,
    Writes,
    unpacked,
)
from turnlog.agents.langgraph.messages import Pattern, langchain
from turnlog.agents.langgraph.values import Values
from turnlog.domain.events import Event, ForeignRecorded
from turnlog.domain.message import Message
from turnlog.domain.messages import messages
from turnlog.domain.skeletons import filled


class MessageItem:
    """A message in a channel. event: number of the first that says it. rest: the message without
    the words of events, where those do not say all of it.
    """

    __slots__ = ("event", "pattern", "raw", "rest")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.event: int
        self.rest: Any
        self.event, self.rest = (int(raw), None) if raw.isdigit() else msgspec.json.decode(raw)
        self.pattern: Pattern | None = None


Held = msgspec.Raw | list[msgspec.Raw] | list[MessageItem]
"""A channel's value as it is stored."""


class Thread:
    """Folds a conversation's events, as they may be shown; `version` is that of the last commit.

    Whoever reads or writes holds `lock`.
    """

    def __init__(self, id: str) -> None:
        self.id = id
        self.lock = RLock()
        self.reset()

    def reset(self, version: int = 0, life: int = 1, *, deleted: bool = False) -> None:
        """As one without events."""
        self.version, self.life, self.deleted = version, life, deleted
        self.event = 0
        self.is_redacted = False
        self.checkpoints: dict[Key, KeptCheckpoint] = {}
        self.numbers: dict[Key, int] = {}
        self._at: dict[int, KeptCheckpoint] = {}
        self.writes: dict[Key, dict[tuple[str, int], tuple[Write, str]]] = {}
        self.hidden: set[Key] = set()
        self.tip: KeptCheckpoint | None = None
        self.foreign = Foreign()
        self.offer: tuple[int, KeptCheckpoint | None] | None = None
        self._events: dict[int, Event] = {}
        self._said: dict[int, Message] = {}
        self._items: dict[int, tuple[KeptCheckpoint, list[MessageItem]]] = {}
        self._newest: dict[str, str] = {}
        self._latest: dict[str, tuple[KeptCheckpoint, dict[str, Held]]] = {}

    # --- folding --------------------------------------------------------------------------------

    def take(self, events: Iterable[Event]) -> None:
        """Fold the next events in."""
        for event in events:
            self.event += 1
            if isinstance(event, ForeignRecorded):
                if event.source == SOURCE:
                    self._take_own(event)
            else:
                self._events[self.event] = event
                self.foreign.take(self.event, event)

    def _take_own(self, event: ForeignRecorded) -> None:
        """One that was redacted itself says nothing any more."""
        if event.kind in _TAKEN and event.body:
            kind, take = _TAKEN[event.kind]
            take(self, msgspec.json.decode(bytes(event.body), type=kind))

    def _take_checkpoint(self, body: KeptCheckpoint) -> None:
        checkpoint = unpacked(body, self._at.get(body.base))
        key = checkpoint.ns, checkpoint.id
        self.checkpoints[key] = self._at[self.event] = checkpoint
        self.numbers[key] = self.event
        self.hidden.discard(key)
        self._newest[checkpoint.ns] = max(self._newest.get(checkpoint.ns, ""), checkpoint.id)
        if not checkpoint.ns:
            self.tip = checkpoint
        if checkpoint.first:
            own = range(checkpoint.first, self.event)
            self.foreign.own(own)
            numbered = [(number, self._events[number]) for number in own if number in self._events]
            self._said.update({m.event or 0: m for m in messages(numbered)})

    def _take_writes(self, body: Writes) -> None:
        """The first of a task and place counts; one of a place below 0 is the last."""
        at = self._at.get(body.at)
        key = (body.ns, body.id) if at is None else (at.ns, at.id)
        held = self.writes.setdefault(key, {})
        for write in body.writes:
            place = body.task, write.index
            if write.index < 0 or place not in held:
                held[place] = write, body.path

    def _hide(self, hiding: Hidden) -> None:
        kept = set(hiding.kept)
        self.hidden.update(hiding.keys)
        self.hidden.update(
            key for key, number in self.numbers.items() if number < hiding.upto and key not in kept
        )
        if hiding.upto:
            self.foreign.forget(hiding.upto)
        self._newest = {}
        for ns, id in self.checkpoints.keys() - self.hidden:
            self._newest[ns] = max(self._newest.get(ns, ""), id)

    # --- checkpoints ----------------------------------------------------------------------------

    def visible(self, key: Key) -> KeptCheckpoint | None:
        return None if key in self.hidden else self.checkpoints.get(key)

    def newest(self, ns: str) -> KeptCheckpoint | None:
        """The one of the greatest id."""
        id = self._newest.get(ns)
        return None if id is None else self.checkpoints[ns, id]

    def listed(self) -> list[KeptCheckpoint]:
        """Those that are not hidden, newest first."""
        keys = sorted(self.checkpoints.keys() - self.hidden, key=lambda k: (k[1], k[0]))
        return [self.checkpoints[key] for key in reversed(keys)]

    def pending(self, key: Key) -> Iterator[tuple[str, Write]]:
        """The writes at a checkpoint, with their tasks, in the order in which they apply."""
        held = self.writes.get(key, {})
        for place in sorted(held, key=lambda place: writes_sort_key(held[place][1], *place)):
            yield place[0], held[place][0]

    def ancestors(self, checkpoint: KeptCheckpoint) -> Iterator[KeptCheckpoint]:
        """Its parent, the parent's and so on, hidden ones too."""
        at: KeptCheckpoint | None = checkpoint
        passed = {checkpoint.id}
        while at is not None and at.parent is not None and at.parent not in passed:
            passed.add(at.parent)
            at = self.checkpoints.get((at.ns, at.parent))
            if at is not None:
                yield at

    # --- values ---------------------------------------------------------------------------------

    def held(self, checkpoint: KeptCheckpoint) -> dict[str, Held]:
        """What the channels hold, each value as it is stored; to be read before the next call."""
        latest = self._latest.get(checkpoint.ns)
        if latest is not None and latest[0] is checkpoint:
            return latest[1]
        if latest is not None and latest[0] is self._base(checkpoint):
            chain, held = [checkpoint], latest[1]
        else:
            chain, held = [*self._chain(checkpoint)][::-1], {}
        for each in chain:
            self._apply(each, held)
        self._latest[checkpoint.ns] = checkpoint, held
        return held

    def _chain(self, checkpoint: KeptCheckpoint) -> Iterator[KeptCheckpoint]:
        """The checkpoint, its base, the base's and so on."""
        at: KeptCheckpoint | None = checkpoint
        while at is not None:
            yield at
            at = self._base(at)

    def _base(self, checkpoint: KeptCheckpoint) -> KeptCheckpoint | None:
        return self._at.get(checkpoint.base)

    def _apply(self, checkpoint: KeptCheckpoint, held: dict[str, Held]) -> None:
        for name in checkpoint.gone:
            held.pop(name, None)
        held.update(checkpoint.values)
        for name, tail in checkpoint.lists.items():
            before = held.get(name)
            going_on: list[Any] = before if isinstance(before, list) else []
            del going_on[tail.kept :]
            going_on += self.items(checkpoint) if name == checkpoint.said else tail.own
            held[name] = going_on

    def items(self, checkpoint: KeptCheckpoint) -> list[MessageItem]:
        """The messages that a checkpoint added, as it was stored: an id can be stored again."""
        known = self._items.get(id(checkpoint))
        if known is None:
            own = checkpoint.lists[checkpoint.said or ""].own
            known = checkpoint, [MessageItem(bytes(raw)) for raw in own]
            self._items[id(checkpoint)] = known
        return known[1]

    def pattern(self, item: MessageItem, values: Values) -> Pattern:
        """The message of an item."""
        if item.pattern is None:
            if item.rest is None:
                built = langchain(self.said(item.event), self.made_id(item.event))[0]
            else:
                built = values.value(filled(item.rest, self._events.get))
            item.pattern = Pattern(built)
        return item.pattern

    def said(self, number: int) -> Message:
        """The message that begins with an event."""
        if number not in self._said:
            found = {m.event or 0: m for m in messages(sorted(self._events.items()))}
            self._said = {**found, **self._said}
        return self._said.get(number) or Message("user", event=number)

    def made_id(self, number: int) -> str:
        """Of a message that somebody else recorded without one."""
        return f"{self.id}:{number}"

    def time(self, number: int) -> float:
        """When an event happened, UTC seconds."""
        event = self._events.get(number)
        return (event.timestamp if event is not None else None) or 0.0

    def value(self, raw: bytes, values: Values) -> Any:
        """A channel's value, or a write's."""
        return values.value(filled(msgspec.json.decode(raw), self._events.get))


_TAKEN: dict[str, tuple[Any, Callable[[Thread, Any], None]]] = {
    CHECKPOINT: (KeptCheckpoint, Thread._take_checkpoint),
    WRITES: (Writes, Thread._take_writes),
    HIDDEN: (Hidden, Thread._hide),
}

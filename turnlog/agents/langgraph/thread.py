"""A thread of LangGraph: the checkpoints and writes that its conversation's events contain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from threading import RLock
from typing import Any

import msgspec
from langgraph.checkpoint.base import writes_sort_key
from msgspec.structs import replace

from turnlog.agents.checkpoints import CHECKPOINT, SOURCE
from turnlog.agents.foreign import Foreign
from turnlog.agents.langgraph.bodies import (
    HIDDEN,
    WRITES,
    Hidden,
    KeptCheckpoint,
    Key,
    Write,
    Writes,
    unpacked,
)
from turnlog.agents.langgraph.message_list import MessageItem, MessageList
from turnlog.agents.langgraph.spoken import Spoken
from turnlog.domain.events import Event, ForeignRecorded, HistoryContinued

Held = msgspec.Raw | list[msgspec.Raw] | MessageList
"""A channel's value as it is stored."""


class GraphThread:
    """Folds a conversation's events, redacted ones hidden. `version` is that of the last commit.

    Readers and writers hold `lock`.
    """

    def __init__(self, id: str) -> None:
        self.id = id
        self.lock = RLock()
        self.reset()

    def reset(self, version: int = 0, life: int = 1, *, deleted: bool = False) -> None:
        """Starts again without events."""
        self.version, self.life, self.deleted = version, life, deleted
        self.event = 0
        self.checkpoints: dict[Key, KeptCheckpoint] = {}
        self.numbers: dict[Key, int] = {}
        self._at: dict[int, KeptCheckpoint] = {}
        self._back: dict[int, int] = {}
        self.writes: dict[Key, dict[tuple[str, int], tuple[Write, str]]] = {}
        self.hidden: set[Key] = set()
        self.tip: KeptCheckpoint | None = None
        self.foreign = Foreign()
        self.offer: tuple[int, KeptCheckpoint | None] | None = None
        self.spoken = Spoken(self.id)
        self._items: dict[int, tuple[KeptCheckpoint, list[MessageItem]]] = {}
        self._newest: dict[str, str] = {}
        self._latest: dict[str, tuple[KeptCheckpoint, dict[str, Held]]] = {}

    # --- folding --------------------------------------------------------------------------------

    def take(self, events: Iterable[Event]) -> None:
        """Folds the next events in."""
        for event in events:
            self.event += 1
            if isinstance(event, ForeignRecorded):
                if event.source == SOURCE:
                    self._take_own(event)
            else:
                if isinstance(event, HistoryContinued) and event.conversation is None:
                    self._back[self.event] = event.event
                self.spoken.take(self.event, event)
                self.foreign.take(self.event, event)

    def _take_own(self, event: ForeignRecorded) -> None:
        """Folds a foreign event in. Redacted ones and invalid ones from other sources are
        skipped.
        """
        if event.kind in _TAKEN and event.body:
            kind, take = _TAKEN[event.kind]
            try:
                body = msgspec.json.decode(bytes(event.body), type=kind)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return
            take(self, body)

    def _take_checkpoint(self, body: KeptCheckpoint) -> None:
        if body.base and body.base not in self._at:
            body = replace(body, base=self._before(body.base, body.ns) or body.base)
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
            self.spoken.own(own)

    def _before(self, number: int, ns: str) -> int:
        """Number of the checkpoint that replaces an erased or redacted base.

        It is the last one before it, unless the conversation went back at that point; 0 for none.
        """
        upto = self._back.get(number - 1, number)
        return max((n for n, each in self._at.items() if n <= upto and each.ns == ns), default=0)

    def _take_writes(self, body: Writes) -> None:
        """Of writes with one task and place, the first counts; below place 0, the last."""
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
        """A checkpoint, unless it is hidden."""
        return None if key in self.hidden else self.checkpoints.get(key)

    def newest(self, ns: str) -> KeptCheckpoint | None:
        """The checkpoint with the greatest id in a namespace."""
        id = self._newest.get(ns)
        return None if id is None else self.checkpoints[ns, id]

    def listed(self) -> list[KeptCheckpoint]:
        """The checkpoints that are not hidden, newest first."""
        keys = sorted(self.checkpoints.keys() - self.hidden, key=lambda k: (k[1], k[0]))
        return [self.checkpoints[key] for key in reversed(keys)]

    def pending(self, key: Key) -> Iterator[tuple[str, Write]]:
        """The writes at a checkpoint with their tasks, in the order in which they apply."""
        held = self.writes.get(key, {})
        for place in sorted(held, key=lambda place: writes_sort_key(held[place][1], *place)):
            yield place[0], held[place][0]

    def ancestors(self, checkpoint: KeptCheckpoint) -> Iterator[KeptCheckpoint]:
        """The checkpoint's parent, the parent's parent and so on, hidden ones included."""
        at: KeptCheckpoint | None = checkpoint
        passed = {checkpoint.id}
        while at is not None and at.parent is not None and at.parent not in passed:
            passed.add(at.parent)
            at = self.checkpoints.get((at.ns, at.parent))
            if at is not None:
                yield at

    # --- values ---------------------------------------------------------------------------------

    def held(self, checkpoint: KeptCheckpoint) -> dict[str, Held]:
        """The channels' values as stored. Valid until the next call."""
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
        """The checkpoint, its base, the base's base and so on."""
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
            if name == checkpoint.said:
                held[name] = said = before if isinstance(before, MessageList) else MessageList()
                said.go_on(tail.kept, self.items(checkpoint))
            else:
                held[name] = continuing = before if isinstance(before, list) else []
                continuing[tail.kept :] = tail.own

    def items(self, checkpoint: KeptCheckpoint) -> list[MessageItem]:
        """The messages that a checkpoint added. By object, because an id can be stored again."""
        known = self._items.get(id(checkpoint))
        if known is None:
            own = checkpoint.lists[checkpoint.said or ""].own
            known = checkpoint, [MessageItem.of(bytes(raw)) for raw in own]
            self._items[id(checkpoint)] = known
        return known[1]


_TAKEN: dict[str, tuple[Any, Callable[[GraphThread, Any], None]]] = {
    CHECKPOINT: (KeptCheckpoint, GraphThread._take_checkpoint),
    WRITES: (Writes, GraphThread._take_writes),
    HIDDEN: (Hidden, GraphThread._hide),
}

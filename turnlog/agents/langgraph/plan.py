"""What is recorded for a checkpoint: its new messages, then the rest as a skeleton."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
from langchain_core.messages import BaseMessage
from msgspec.structs import replace

from turnlog.agents.langgraph.bodies import KeptCheckpoint, ListTail, packed
from turnlog.agents.langgraph.change import BodyChange
from turnlog.agents.langgraph.message_list import MessageList
from turnlog.agents.langgraph.messages import langchain, said
from turnlog.agents.langgraph.offer import NAMED
from turnlog.agents.langgraph.pattern import Pattern
from turnlog.agents.langgraph.thread import GraphThread, Held
from turnlog.agents.langgraph.values import ValueCodec
from turnlog.domain.events import Event, HistoryCompacted, HistoryContinued
from turnlog.domain.message_recording import recorded_as
from turnlog.domain.messages import messages
from turnlog.domain.plain import dumps
from turnlog.domain.skeletons import skeleton
from turnlog.errors import InvalidEvent

Numbered = tuple[int, Event]


class SavePlan:
    """The events of one checkpoint of a thread.

    after: number of the conversation's last event. channel: the one with the messages, in the root
    namespace. summary: the channel whose text replaces omitted messages. parent: None if the
    checkpoint has none or an unknown one.
    """

    def __init__(
        self,
        thread: GraphThread,
        values: ValueCodec,
        channel: str,
        summary: str,
        parent: KeptCheckpoint | None,
        after: int,
    ) -> None:
        self._thread, self._values = thread, values
        self._channel, self._summary = channel, summary
        self._spoken = thread.spoken
        self._parent = parent
        self._held: dict[str, Held] = {} if parent is None else thread.held(parent)
        self._after = after
        self.events: list[Event] = []

    def take(
        self, checkpoint: KeptCheckpoint, found: dict[str, Any], changed: frozenset[str]
    ) -> None:
        """Plans the events. found: the values of the channels. changed: the channels with a new
        version.
        """
        new = {n: held for n, held in found.items() if not self._is_kept(n, checkpoint, changed)}
        change = None if checkpoint.ns else self._change(new)
        if not checkpoint.ns:
            self._go_back(change)
        if change is not None:
            self._compact(change, new.get(self._summary))
        lists = {} if change is None else {self._channel: self._said(change)}
        values: dict[str, msgspec.Raw] = {}
        for name, value in new.items():
            if name in lists:
                continue
            if type(value) is list:
                lists[name] = self._tail(name, value)
            else:
                values[name] = self._raw(value)
        body = replace(
            checkpoint,
            base=self._parent_number(),
            first=self._after + 1 if self.events else 0,
            said=None if change is None else self._channel,
            values=values,
            lists=lists,
            gone=sorted(self._held.keys() - found.keys()),
        )
        self.events.append(packed(body, self._parent))

    def _parent_number(self) -> int:
        """Number of the parent's event: the last one before the plan's own if the parent was only
        offered.
        """
        if self._parent is None:
            return 0
        return self._thread.numbers.get((self._parent.ns, self._parent.id), self._after)

    def _is_kept(self, name: str, checkpoint: KeptCheckpoint, changed: frozenset[str]) -> bool:
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

    def _tail(self, name: str, value: list[Any]) -> ListTail:
        plain = (skeleton(self._values.plain(item), (), NAMED) for item in value)
        items = [msgspec.Raw(dumps(item)) for item in plain]
        before = self._held.get(name)
        old = before if isinstance(before, list) else []
        kept = 0
        for one, other in zip(old, items, strict=False):
            if bytes(one) != bytes(other):
                break
            kept += 1
        return ListTail(kept, items[kept:])

    # --- messages -------------------------------------------------------------------------------

    def _change(self, new: dict[str, Any]) -> BodyChange | None:
        """How the messages changed; None if they did not, or if the channel does not contain
        messages.
        """
        value = new.get(self._channel)
        if type(value) is not list:
            return None
        before = self._held.get(self._channel)
        old = before if isinstance(before, MessageList) else MessageList()
        change = BodyChange(old, value, self._spoken, self._values)
        return change if change.compare() else None

    def _go_back(self, change: BodyChange | None) -> None:
        """Goes back to where the messages continue from, unless that is the conversation's end."""
        backs = (self._branched(), None if change is None else change.back)
        if (found := [back for back in backs if back is not None]) != []:
            self.events.append(HistoryContinued(min(found)))

    def _compact(self, change: BodyChange, channel_text: Any) -> None:
        """Records what replaces omitted messages: a message, or the text of the summary channel."""
        text = channel_text if change.summary is None else str(change.summary.text)
        if change.left_out is not None and isinstance(text, str) and text:
            self.events.append(HistoryCompacted(*change.left_out, text))

    def _said(self, change: BodyChange) -> ListTail:
        own = [] if change.summary is None else [self._summed_up(change.summary)]
        own += [msgspec.Raw(item.raw) for item in change.moved]
        own += [msgspec.Raw(raw) for raw in self._recorded(change.new)]
        return ListTail(change.kept, own)

    def _summed_up(self, summary: BaseMessage) -> msgspec.Raw:
        """The item of a message that the last planned event says."""
        number = self._after + len(self.events)
        rest = skeleton(self._values.plain(summary), [(number, self.events[-1])], NAMED)
        return msgspec.Raw(dumps([number, rest]))

    def _branched(self) -> int | None:
        """The parent's last event, if another checkpoint follows it."""
        thread, parent = self._thread, self._parent
        tip = thread.tip
        if parent is None or tip is None or parent is tip:
            return None
        number = thread.numbers.get((parent.ns, parent.id))
        return number if number is not None and number < thread.foreign.last else None

    def _recorded(self, new: Sequence[BaseMessage]) -> Iterator[bytes]:
        """Plans the events of new messages and yields their items."""
        first = self._after + len(self.events) + 1
        spoken = [said(message) for message in new]
        if any(map(self._spoken.hides, spoken)):
            why = "repeats what was redacted or deleted during the run"
            raise InvalidEvent(self._thread.id, self._channel, why)
        events = list(recorded_as(spoken, first))
        self.events += events
        numbered = list(enumerate(events, first))
        found = list(messages(numbered))
        ends = [message.event or 0 for message in found] + [first + len(events)]
        for message, read, (begin, end) in zip(new, found, pairwise(ends), strict=True):
            made = langchain(read, self._spoken.made_id(begin))
            if len(made) == 1 and Pattern.of(made[0]).says(message):
                yield dumps(begin)
            else:
                its = numbered[begin - first : end - first]
                yield dumps([begin, skeleton(self._values.plain(message), its, NAMED)])

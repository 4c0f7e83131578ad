"""One conversation as pydantic-ai sees it: its record, and a chain of entries.

Each save is one commit: what was said in the log's own events, then a ForeignRecorded with the
record and the messages, out of which the words are cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.agents.pydantic_ai.messages import SOURCE, Document, written
from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.counted import INCLUDE, counted
from turnlog.domain.message_groups import side
from turnlog.domain.skeletons import filled
from turnlog.domain.traits import Rewind, Rewrite

SAVE = "save"
_OFFERED = "turnlog"


class ChainEntry(msgspec.Struct, frozen=True):
    """One message in a chain. first, last: numbers of the events that say it; first is beyond last
    where none do. named: number of the event that names it. document: None for what others
    recorded, which is read from the log's messages.
    """

    id: str
    parent: str | None
    first: int
    last: int
    named: int
    document: Document | None = None


class Save(msgspec.Struct, frozen=True):
    """What one save left in the log. number: of its own event, the last of its commit."""

    number: int
    record: dict[str, Any]
    entries: list[dict[str, Any]]

    @property
    def first(self) -> int:
        """Number of the first event that says one of its messages."""
        return self.number - sum(int(entry["events"]) for entry in self.entries)


class Thread:
    """Reads a conversation from its end, no further than is asked for."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation
        self._rest = self._saves()
        self._entries: dict[str, ChainEntry] = {}
        self._changed = 0
        self.newest: Save | None = next(self._rest, None)
        self._tip = self.newest.record["head_id"] if self.newest else None
        if self._changed:
            self._offer()

    @property
    def exists(self) -> bool:
        return self.newest is not None or self._tip is not None

    @property
    def head(self) -> str | None:
        """The newest entry of the history, be it one that others recorded."""
        return self._tip

    @property
    def revision(self) -> str:
        """Of the newest save, and of what others changed after it."""
        stored = self.newest.record["revision"] if self.newest else ""
        return f"{stored}+{self._changed}" if self._changed else str(stored)

    # --- entries --------------------------------------------------------------------------------

    def entry(self, id: str) -> ChainEntry:
        """Raises KeyError where the conversation has no such entry."""
        while id not in self._entries:
            if next(self._rest, None) is None:
                raise KeyError(id)
        return self._entries[id]

    def chain(self, head: str | None, limit: int | None = None) -> list[ChainEntry]:
        """Entries up to one, oldest first; the last `limit` of them.

        Begins where a fork's past was deleted with its origin.
        """
        found: list[ChainEntry] = []
        while head is not None and (limit is None or len(found) < limit):
            try:
                found.append(self.entry(head))
            except KeyError:
                if not found:
                    raise
                found[-1] = replace(found[-1], parent=None)
                break
            head = found[-1].parent
        return found[::-1]

    def offered(self) -> list[ChainEntry]:
        """Entries of what others recorded, which no save names yet."""
        names = {entry["id"] for entry in self.newest.entries} if self.newest else set()
        last = self.newest.number if self.newest else 0
        return [
            entry
            for entry in self.chain(self._tip)
            if entry.document is None and entry.first > last and entry.id not in names
        ]

    def end_of(self, id: str | None) -> int:
        """Number of the last event that an entry's history is made of."""
        while id is not None:
            entry = self.entry(id)
            if entry.last >= entry.first:
                return entry.last
            id = entry.parent
        return 0

    def documents(self, entries: list[ChainEntry]) -> Iterator[Document]:
        """Their messages in pydantic-ai's own JSON, as they may be shown now."""
        others = self._others() if any(each.document is None for each in entries) else {}
        for entry in entries:
            yield others[entry.first] if entry.document is None else entry.document

    # --- reading from the end -------------------------------------------------------------------

    def _saves(self) -> Iterator[Save]:
        """The saves, newest first; the entries of each are known when it is given."""
        save: Save | None = None
        is_newer = True
        events: dict[int, e.Event] = {}
        for recorded in self.conversation.newest_first():
            number, event = recorded.number, recorded.event
            if save is not None and number < save.first:
                yield self._taken(save, events)
                save, events = None, {}
            if isinstance(event, e.ForeignRecorded) and event.source == SOURCE:
                save, is_newer = Save(number, **msgspec.json.decode(bytes(event.body))), False
            elif save is not None:
                events[number] = event
            elif is_newer and _changes(event):
                self._changed = max(self._changed, number)
        if save is not None:
            yield self._taken(save, events)

    def _taken(self, save: Save, events: Mapping[int, e.Event]) -> Save:
        """The save with its words, once its entries are known."""

        def event(number: int) -> e.Event | None:
            return self._edited.get(number) or events.get(number)

        first, before = save.first, None
        for held in save.entries:
            number, last = held.get("event", first), first + held["events"] - 1
            document = filled(held["message"], event) if "message" in held else None
            parent = held.get("parent", before)
            last = number if document is None else last
            self._entries[held["id"]] = ChainEntry(
                held["id"], parent, number, last, save.number, document
            )
            first, before = first + held["events"], held["id"]
        return Save(save.number, filled(save.record, event), save.entries)

    @cached_property
    def _edited(self) -> Mapping[int, e.Event]:
        """Events as somebody has rewritten them since."""
        if not self.conversation.state.rewritten:
            return {}
        counting = counted(list(self.conversation.recorded()), INCLUDE)
        return dict(zip(counting.numbers, counting.events, strict=True))

    # --- what others recorded -------------------------------------------------------------------

    def _offer(self) -> None:
        """Go on from the newest entry that counts, with the messages of others after it."""
        for _ in self._rest:  # all entries
            pass
        own = [each for each in self._entries.values() if each.first <= each.last]
        gone = {r.number for r in self.conversation.recorded() if r.taken_back is not None}
        counting = (each for each in own if gone.isdisjoint(range(each.first, each.last + 1)))
        tip = max(counting, key=lambda each: each.last, default=None)
        known = {number for each in own for number in range(each.first, each.last + 1)}
        self._tip = tip.id if tip else None
        for message in self.conversation.messages():
            number = message.event or 0
            if number not in known and (tip is None or number > tip.last):
                id = f"{_OFFERED}:{number}:{self.conversation.id}"
                self._entries[id] = ChainEntry(id, self._tip, number, number, number)
                self._tip = id

    def _others(self) -> dict[int, Document]:
        """The log's messages as pydantic-ai would have them, by their first event."""
        times = {r.number: r.event.timestamp or r.recorded for r in self.conversation.recorded()}
        return {
            message.event or 0: written(message, _iso(times[message.event or 0]))
            for message in self.conversation.messages()
        }


def conversation_of(id: str) -> str | None:
    """The conversation of an entry that others recorded; None for every other entry."""
    source, _, rest = id.partition(":")
    return rest.partition(":")[2] if source == _OFFERED else None


def _changes(event: e.Event) -> bool:
    return side(event) is not None or isinstance(event, Rewind | Rewrite)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()

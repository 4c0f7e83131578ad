"""One conversation as pydantic-ai sees it: its record, and a chain of entries.

Each save is one commit: what was said in the log's own events, then a ForeignRecorded with the
record and the messages, without the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from functools import cached_property
from itertools import takewhile

from msgspec.structs import replace
from pydantic_ai.conversation_store import ConversationEntry

from turnlog.agents.pydantic_ai.lines import ChainEntry, Line
from turnlog.agents.pydantic_ai.messages import Document, with_url_base64
from turnlog.agents.pydantic_ai.offer import changes, offered, time_of
from turnlog.agents.saves import Save, save_in
from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.counted import INCLUDE, counted
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.skeletons import filled


class SavedThread:
    """Reads a conversation from its end, only as far as needed, and follows new saves."""

    def __init__(self, conversation: Conversation, life: int) -> None:
        self.conversation = conversation
        self.life = life
        self._rest = self._saves(conversation.newest_first())
        self._is_whole = False
        self._entries: dict[str, ChainEntry] = {}
        self.offered: list[ChainEntry] = []
        """What others recorded after the newest save."""
        self._line = Line()
        self._changed: RecordedEvent | None = None
        self.newest: Save | None = None
        self.newest = next(self._rest, None)
        self._tip = self.newest.record["head_id"] if self.newest else None
        if self._changed:
            self._offer()

    @property
    def version(self) -> int:
        """The conversation's version."""
        return self.conversation.version

    @property
    def exists(self) -> bool:
        """Whether the conversation has a save or an entry."""
        return self.newest is not None or self._tip is not None

    @property
    def head(self) -> str | None:
        """The newest entry of the history, which may be one that others recorded."""
        return self._tip

    @property
    def revision(self) -> str:
        """The revision of the newest save, and of what others changed after it."""
        stored = self.newest.record["revision"] if self.newest else ""
        return f"{stored}+{self._changed.number}" if self._changed else str(stored)

    @property
    def changed(self) -> datetime | None:
        """When others recorded something after the newest save; None if they did not."""
        return time_of(self._changed) if self._changed else None

    def has(self, id: str) -> bool:
        """Whether the conversation is known to have an entry."""
        tips = self.newest.record.get("branches", ()) if self.newest else ()
        return id in self._entries or id == self._tip or id in tips

    def goes_on(self, now: Conversation) -> bool:
        """Takes in new saves; false if others recorded something or a new life began."""
        last = self.conversation.state.event
        new = [*takewhile(lambda recorded: recorded.number > last, now.newest_first())]
        if not (new and new[0].life == self.life and _are_saves(new)):
            return False
        self._changed, self.offered, self.newest = None, [], None
        self.conversation = now
        self.newest, *_ = self._saves(new)
        self._tip = self.newest.record["head_id"]
        return True

    # --- entries --------------------------------------------------------------------------------

    def entry(self, id: str) -> ChainEntry:
        """The entry with an id. Raises KeyError if the conversation does not have it."""
        while id not in self._entries:
            if next(self._rest, None) is None:
                raise KeyError(id)
        return self._entries[id]

    def chain(self, head: str, limit: int | None = None) -> list[ChainEntry]:
        """The last `limit` entries up to `head`, oldest first.

        Begins later if a fork's past was deleted with its origin. Raises KeyError as `entry` does.
        """
        if limit is None:
            self._read_whole()
        found: list[ChainEntry] = []
        at: str | None = head
        while at is not None and (limit is None or len(found) < limit):
            try:
                entry = self._entries.get(at) or self.entry(at)
            except KeyError:
                if not found:
                    raise
                found[-1] = _first(found[-1])
                break
            found.append(entry)
            at = entry.parent
        return found[::-1]

    def history(self, head: str, limit: int | None = None) -> list[ConversationEntry]:
        """The chain as pydantic-ai's entries, copies for the caller."""
        chain = self.chain(head, limit)
        line = self._line if limit is None and self._line.leads_to(chain) else Line()
        line.go_on(chain)
        if limit is None:
            self._line = line
        return line.entries()

    def end_of(self, id: str | None) -> int:
        """Number of the last event of an entry's history."""
        while id is not None:
            entry = self.entry(id)
            if entry.numbers:
                return entry.last
            id = entry.parent
        return 0

    # --- reading from the end -------------------------------------------------------------------

    def _read_whole(self) -> None:
        """Reads all entries in one query."""
        if not self._is_whole:
            self._is_whole = True
            if next(self._rest, None) is not None:
                self._rest = self._saves(self.conversation.newest_first(at_once=True))
            for _ in self._rest:
                pass

    def _saves(self, newest_first: Iterable[RecordedEvent]) -> Iterator[Save]:
        """The saves, newest first. When one is yielded, its entries are known."""
        save: Save | None = None
        is_newer = True
        events: dict[int, e.Event] = {}
        for recorded in newest_first:
            number, event, found = recorded.number, recorded.event, save_in(recorded)
            if save is not None and (number < save.first or found is not None):
                yield self._taken(save, events)
                save, events = None, {}
            if found is not None:
                save, is_newer = found, False
            elif save is not None:
                events[number] = event
            elif is_newer and changes(event):
                self._changed = self._changed or recorded
        if save is not None:
            yield self._taken(save, events)

    def _taken(self, save: Save, events: Mapping[int, e.Event]) -> Save:
        """Adds a save's entries, and returns the save, the newest one with its words."""

        def event(number: int) -> e.Event | None:
            here = self._edited.get(number) or events.get(number)
            return here or self.conversation.event(number)

        def whole(cut: Document) -> Document:
            document: Document = filled(cut, event)
            return with_url_base64(document) if save.has_bytes else document

        first = save.own
        for held in save.entries:
            id, said = held["id"], held.get("said") or (first, first + held["events"] - 1)
            if id not in self._entries:
                message = whole(held["message"])
                self._entries[id] = ChainEntry(id, held["parent"], said, save.number, message)
            first += held["events"]
        return replace(save, record=whole(save.record)) if self.newest is None else save

    @cached_property
    def _edited(self) -> Mapping[int, e.Event]:
        """Events with later edits applied."""
        if not self.conversation.state.rewritten:
            return {}
        counting = counted(self._recorded, INCLUDE)
        return dict(zip(counting.numbers, counting.events, strict=True))

    @cached_property
    def _recorded(self) -> Sequence[RecordedEvent]:
        return [*self.conversation.recorded()]

    # --- what others recorded -------------------------------------------------------------------

    def _offer(self) -> None:
        """Continues from the newest entry that counts, with the messages of others after it."""
        self._read_whole()
        gone = {r.number for r in self._recorded if r.taken_back is not None}
        own = (each for each in self._entries.values() if each.numbers)
        counting = (each for each in own if gone.isdisjoint(each.numbers))
        tip = max(counting, key=lambda each: each.last, default=None)
        self.offered = offered(self.conversation.id, self._recorded, tip)
        self._entries |= {entry.id: entry for entry in self.offered}
        newest = self.offered[-1] if self.offered else tip
        self._tip = newest.id if newest else None

    def said_by_others(self) -> Iterator[tuple[int, e.Event]]:
        """The events of the offered entries, with their numbers."""
        for entry in self.offered:
            for recorded in self._recorded[entry.first - 1 : entry.last]:
                if recorded.taken_back is None:
                    yield recorded.number, recorded.event


def _are_saves(newest_first: Sequence[RecordedEvent]) -> bool:
    """Whether each commit among the events is a save."""
    ends = {recorded.version: recorded for recorded in reversed(newest_first)}
    return all(save_in(recorded) is not None for recorded in ends.values())


def _first(entry: ChainEntry) -> ChainEntry:
    """A copy of the entry without a parent."""
    alone = copy(entry)
    alone.parent = None
    return alone

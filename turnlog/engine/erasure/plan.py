"""What an erasure covers: whole conversations, and single events of others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from turnlog.domain.events import Event, EventErased, ForeignRecorded, MessageRedacted
from turnlog.domain.redactions import Redactions
from turnlog.domain.streams import UPKEEP
from turnlog.domain.whose import whose
from turnlog.encoding.rows import decode_skeleton
from turnlog.engine.erasure.holds import Hold, holds_on, holds_on_person, lives
from turnlog.engine.erasure.people import Person, people_in, person_of
from turnlog.engine.erasure.retention import floor_under
from turnlog.errors import Held, InvalidEvent, UnknownConversation, UnknownPerson
from turnlog.projections.history import StoredHistory
from turnlog.projections.ledger import exported, rebuilt, unnamed
from turnlog.projections.stream_rows import StreamRows
from turnlog.storage.lookups import commitment_of, forks_lookup
from turnlog.storage.reader import Reader
from turnlog.storage.rows import Row, Stream


class ErasurePlan(msgspec.Struct):
    """names: ids to be erased, in clear. whole: conversations. events: numbers, by stream. unnamed:
    for those of these streams that lose their id, the HMACs of the remaining people. held: what a
    hold keeps, by conversation.
    """

    of: str
    ids: set[str] = msgspec.field(default_factory=set)
    unnamed: dict[int, frozenset[str]] = msgspec.field(default_factory=dict)
    names: set[str] = msgspec.field(default_factory=set)
    whole: dict[str, list[Stream]] = msgspec.field(default_factory=dict)
    events: dict[int, set[int]] = msgspec.field(default_factory=dict)
    held: dict[str, list[Hold]] = msgspec.field(default_factory=dict)
    exports: list[Any] = msgspec.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.whole or self.events)

    @property
    def streams(self) -> list[int]:
        """The streams of the conversations that are erased whole."""
        return [stream.stream for found in self.whole.values() for stream in found]


def of_conversation(log: Any, id: str) -> ErasurePlan:
    """The plan for a conversation. Raises UnknownConversation or Held."""
    planning = _Planning(log, "conversation")
    if not planning.add_whole(id):
        raise UnknownConversation(id)
    return planning.done()


def of_event(log: Any, id: str, number: int) -> ErasurePlan:
    """The plan for one event. Raises UnknownConversation, OutOfRange, InvalidEvent or Held."""
    planning = _Planning(log, "event")
    log.head(id, deleted=True)
    planning.add_event(id, number)
    return planning.done()


def of_person(log: Any, name: str) -> ErasurePlan:
    """The plan for a person. Raises UnknownPerson or Held."""
    planning = _Planning(log, "person")
    person = person_of(log, commitment_of(log.store.reader.secret, name))
    if holds := holds_on_person(log, person.ids):
        raise Held(f"person {name!r} is {'; '.join(map(str, holds))}")
    planning.plan.ids |= person.ids
    planning.plan.names.add(name)
    for conversation in person.conversations:
        planning.add_person(conversation, person)
    planning.add_unnamed(person)
    for alias in [*planning.plan.names]:
        if not people_in(log, alias):
            planning.add_whole(alias)
    if not planning.plan and not planning.plan.held:
        raise UnknownPerson(name)
    return planning.done()


class _Planning:
    def __init__(self, log: Any, of: str) -> None:
        log.current.catch_up()  # the table of keys, which lists forks, lags behind
        self._log = log
        self._reader: Reader = log.store.reader
        self.plan = ErasurePlan(of)

    def add_whole(self, id: str) -> bool:
        """Whether the conversation exists."""
        found = [*lives(self._log, id)]
        if found and not self._is_held(id):
            self.plan.whole[id] = found
            self.plan.names.add(id)
        return bool(found)

    def _is_held(self, id: str) -> bool:
        floor = floor_under(self._log, id)
        if holds := [*holds_on(self._log, id), *([floor] if floor else [])]:
            self.plan.held[id] = holds
        return bool(holds)

    def add_person(self, id: str, person: Person) -> None:
        if self._is_held(id):
            return
        names = [*self._names_in(id)]
        self.plan.names |= {name for name in names if self._id(name) in person.ids}
        if not (others := people_in(self._log, id) - person.ids):
            self.add_whole(id)
            return
        for stream in lives(self._log, id):
            self._add_theirs(stream, person)
            if self._id(id) in person.ids:
                self.plan.unnamed[stream.stream] = others

    def add_unnamed(self, person: Person) -> None:
        """Their events in streams that an earlier erasure of another person left without an id."""
        view = self._log.view("ledger")
        found = [each.value["stream"] for id in person.ids for each in view.find(unnamed(id))]
        for number in dict.fromkeys(found):
            if (stream := self._reader.stream_of(number)) is not None:
                self._add_theirs(stream, person)

    def _add_theirs(self, stream: Stream, person: Person) -> None:
        events = self._events(stream)
        people = whose(events)
        theirs = {n for n, of in enumerate(people, 1) if person.ids & {*map(self._id, of)}}
        self._add(stream, events, theirs)

    def _names_in(self, id: str) -> Iterator[str]:
        from turnlog.projections.persons import names_in

        for stream in lives(self._log, id):
            for event in self._events(stream):
                yield from names_in(event)

    def add_event(self, id: str, number: int) -> None:
        history = self._log.history(id)
        row: Row = history.holding(number)
        event: Event = next(history.events(number - 1, number))
        if isinstance(event, EventErased):
            raise InvalidEvent(id, "event", f"event {number} is already erased")
        if not whose([event])[0]:
            kind = type(event).__name__
            raise InvalidEvent(
                id, "event", f"event {number} is {kind}, which other events depend on"
            )
        if self._is_held(id):
            return
        stream = self._reader.stream_of(row.stream)
        assert stream is not None, "its row exists"
        self._add(stream, self._events(stream), {number})

    def _id(self, name: str) -> str:
        return commitment_of(self._reader.secret, name)

    def _events(self, stream: Stream) -> list[Event]:
        return [*self._history(stream).events()]

    def _history(self, stream: Stream) -> StoredHistory:
        return StoredHistory(
            StreamRows(self._reader, None, stream.conversation, stream.stream, stream.life)
        )

    def _add(self, stream: Stream, events: Sequence[Event], numbers: set[int]) -> None:
        """Events of a stream and what was masked because of them, in its forks too."""
        repeated = repeating(events, numbers)
        self._add_own(stream.stream, with_masked(events, {*numbers, *repeated}), events)
        self._add_masked_in_forks(stream.stream, numbers)

    def _add_own(self, stream: int, numbers: Collection[int], events: Sequence[Event]) -> None:
        shared = shared_by(self._reader, stream)
        own = {
            number
            for number in numbers
            if number > shared and not isinstance(events[number - 1], EventErased)
        }
        if own:
            self.plan.events.setdefault(stream, set()).update(own)

    def _add_masked_in_forks(self, stream: int, numbers: Iterable[int] | None) -> None:
        for fork in forks_of(self._reader, stream):
            if (found := self._reader.stream_of(fork)) is None or found.name is None:
                continue
            events, shared = self._events(found), shared_by(self._reader, fork)
            gone = {n for n in numbers or range(1, shared + 1) if n <= shared}
            self._add_own(
                fork, with_masked(events, {*gone, *repeating(events, gone)}) - gone, events
            )

    def done(self) -> ErasurePlan:
        """The plan with everything that depends on it. Raises Held if all of it is held."""
        plan = self.plan
        if plan.held and not plan:
            id, holds = next(iter(plan.held.items()))
            raise Held(f"conversation {id!r} is {'; '.join(map(str, holds))}")
        for stream in plan.streams:
            self._add_masked_in_forks(stream, None)
        plan.ids |= set(map(self._id, plan.names))
        self._add_rebuilds()
        self._add_exports()
        return plan

    def _add_rebuilds(self) -> None:
        """Events about rebuilds of the log, which name conversations with faults."""
        view, own = self._log.view("ledger"), self._reader.stream(UPKEEP)
        numbers = {found.event for id in self.plan.ids for found in view.find(rebuilt(id))}
        if own is not None and numbers:
            self.plan.events[own.stream] = numbers

    def _add_exports(self) -> None:
        view = self._log.view("ledger")
        for stream in dict.fromkeys((*self.plan.streams, *self.plan.events)):
            for found in view.find(exported(stream)):
                if found.value not in self.plan.exports:
                    self.plan.exports.append(found.value)


def with_masked(events: Sequence[Event], numbers: Collection[int]) -> set[int]:
    """The numbers of the erased events, and of those that a redaction hid or masked because of
    them.

    Once they are erased, no one could tell what the redaction hid.
    """
    going, before = set(numbers), Redactions(enumerate(events, 1))
    while before and going:
        left = [
            EventErased(type(event).__name__)
            if number in going or (isinstance(event, MessageRedacted) and event.message in going)
            else event
            for number, event in enumerate(events, 1)
        ]
        after = Redactions(enumerate(left, 1))
        more = {
            number
            for number, event in enumerate(events, 1)
            if number not in going and before.shown(number, event) != after.shown(number, event)
        }
        if not more:
            break
        going |= more
    return going


def repeating(events: Sequence[Event], numbers: Iterable[int]) -> set[int]:
    """The numbers of frameworks' own events that repeat the content of these events.

    A framework stores a message before it is recorded as one, even without a redaction.
    """
    if not any(isinstance(event, ForeignRecorded) for event in events):
        return set()
    redacted = [MessageRedacted(number) for number in numbers]
    hiding = Redactions(enumerate([*events, *redacted], 1))
    return {
        number
        for number, event in enumerate(events, 1)
        if isinstance(event, ForeignRecorded) and hiding.shown(number, event) != event
    }


def shared_by(reader: Reader, stream: int) -> int:
    """The number of the last event that a fork shares with its origin; 0 for any other stream."""
    [first] = reader.rows(stream, 0, 1, 1)
    return decode_skeleton(first.skeleton).first_event - 1 if first.skeleton else 0


def forks_of(reader: Reader, stream: int) -> Iterator[int]:
    """The streams that are forks of one, and forks of those, each after its origin."""
    waiting, seen = [stream], {stream}
    while waiting:
        prefix = forks_lookup(reader.secret, waiting.pop(0))
        for row in reader.keyed_rows_under(prefix):
            if row.stream not in seen:
                seen.add(row.stream)
                waiting.append(row.stream)
                yield row.stream

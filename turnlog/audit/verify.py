"""Whether a log is whole: its chain, and that heads, snapshots and read models follow from it.

What is found: a row of any table that was changed, removed, exchanged or put in; a tail that was
cut, as long as something derived from it still stands. What is not: a log that was cut back
together with all that is derived from it, or made anew. That takes heads signed and kept outside
the database.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec

from turnlog.audit import attachments, chain, models
from turnlog.audit.attachments import Attached, Named
from turnlog.audit.fault import Fault, named
from turnlog.audit.key_sums import KeySums
from turnlog.domain.amounts import amount
from turnlog.domain.streams import is_conversation
from turnlog.encoding.names import decode_name, owner
from turnlog.engine.erasure.unfinished import unfinished
from turnlog.errors import StorageError, UnknownConversation
from turnlog.keys.opening import recorder as recorder_of
from turnlog.projections import PROJECTIONS
from turnlog.projections.projection import AnyProjection
from turnlog.projections.tree import TREE
from turnlog.storage.end import End
from turnlog.storage.reader import Scan
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import (
    HEADS,
    Genesis,
    Head,
    Row,
    Snapshot,
    Stream,
    erased,
    has_types,
)

SHARES_A_JOB = 4
"""Shares that a process takes one after the other, so that all end together."""

ROWS_AT_ONCE = 500
"""Rows of a table that are read together."""

_FIRST = -(2**62)

Where = tuple[str, str | None]
"""The URLs of a log and of its key store."""


class Verification(msgspec.Struct):
    """What was found; conversations and their events that were gone through are counted.

    attachments: how many values that stand apart from the rows, of so many attached_bytes; None
    where there are none.
    """

    ok: bool = True
    conversations: int = 0
    events: int = 0
    faults: list[Fault] = []
    attachments: int | None = None
    attached_bytes: int | None = None

    def tell(self, fault: Fault) -> None:
        self.ok = False
        self.faults.append(fault)


def verify(
    recorder: Recorder,
    conversations: Iterable[str] | None = None,
    *,
    projections: Mapping[str, AnyProjection] = PROJECTIONS,
    jobs: int = 1,
) -> Verification:
    """Check the whole log, or the rows, heads and snapshots of the conversations named.

    Reads the log up to where it ends when this begins, one conversation at a time; on PostgreSQL
    it holds no snapshot, and those who write are not slowed. Whatever is stored, a
    fault is told, not raised. jobs: processes that share the rows of a whole log (one in memory
    stays with this one); the faults and their order are the same.
    """
    verification = Verification()
    end = End(recorder)
    with recorder.scan() as scan:
        try:
            checking = _Checking(scan, recorder.genesis, verification)
            if conversations is None:
                checking.all(projections, recorder.where, jobs)
                if (what := end.missed(scan)) is not None:
                    verification.tell(Fault(None, None, what))
            else:
                for name in conversations:
                    checking.known(name)
            checking.count_attachments()
        except StorageError as error:
            verification.tell(Fault(None, None, str(error)))
    return verification


class Share(msgspec.Struct):
    """A share of the log's streams. rows, seen: their number, and the streams that have any.

    begun, ended: of streams whose id was dropped, what a later life goes on from, and where one
    ends. found, due, early: what a process of its own found, and the sums of its keys.
    """

    rows: int = 0
    seen: set[Any] = msgspec.field(default_factory=set)
    begun: dict[Any, bytes] = msgspec.field(default_factory=dict)
    ended: set[bytes | None] = msgspec.field(default_factory=set)
    found: Verification = msgspec.field(default_factory=Verification)
    due: int = 0
    early: int = 0
    attached: dict[str, Named] = {}


class _Checking:
    """One look through a log."""

    def __init__(self, scan: Scan, genesis: Genesis, verification: Verification) -> None:
        self._scan = scan
        self._genesis = genesis
        self._verification = verification
        heads = scan.checkpoint(HEADS)
        self._checkpoint = heads.position if heads and has_types(heads) else 0
        self._last = scan.last_position()
        self._keys = KeySums(genesis.secret, self._checkpoint, self._last)
        self._attached = Attached(genesis.secret)

    def all(self, projections: Mapping[str, AnyProjection], where: Where, jobs: int) -> None:
        scan, tell = self._scan, self._verification.tell
        streams, last, whole = self._streams(), self._last, Share()
        with self._shares(streams, where, jobs, last) as shares:
            complaints = list(scan.complaints())  # while other processes have begun
            self._keys.read(scan)
            for share in shares:
                whole.seen |= share.seen
                whole.begun |= share.begun
                whole.ended |= share.ended
                whole.rows += share.rows
        for complaint in complaints:  # what names a conversation comes first
            tell(Fault(None, None, complaint))
        if whole.rows != last:
            there = amount(whole.rows, "row")
            what = f"the log's last position is {last}, but it has {there}"
            tell(Fault(None, None, what))
        self._lives(whole)
        self._orphans(streams, whole.seen)
        attachments.check_all(scan, self._attached.names, tell)
        models.check(scan, {**projections, TREE.name: TREE}, tell)
        with suppress(StorageError, TypeError, ValueError):  # of rows that were told already
            self._erasures()

    def share(self, every: Iterable[Row], streams: Mapping[Any, Stream], upto: int) -> Share:
        """Check some streams' rows; those of positions up to a given one are counted."""
        share = Share()
        for number, group in groupby(every, key=attrgetter("stream")):
            counted = _Counted(group, upto)
            share.seen.add(number)
            stream = streams.get(number)
            chained = self._one(stream, counted)
            if chained is not None and stream is not None and stream.name is None:
                share.ended.add(chained.digest)
                if has_types(stream) and stream.life > 1 and chained.first is not None:
                    share.begun[number] = chained.first
            share.rows += counted.number
        return share

    @contextmanager
    def _shares(
        self, streams: Mapping[Any, Stream], where: Where, jobs: int, upto: int
    ) -> Iterator[Iterator[Share]]:
        """The rows of all streams in one share, or in many, on which other processes are at work.

        Each of these has a look of its own at its streams.
        """
        if jobs == 1 or where[0] == "memory:" or len(streams) <= jobs:
            yield (self.share(rows, streams, upto) for rows in [self._scan.every(Row)])
            return
        numbers = sorted(streams)
        size = -(-len(numbers) // (jobs * SHARES_A_JOB))
        firsts = [-(2**63), *numbers[size::size]]
        lasts = [*(first - 1 for first in firsts[1:]), 2**63 - 1]
        upto_and = (upto, self._checkpoint)
        asked = [(where, *each, *upto_and) for each in zip(firsts, lasts, strict=True)]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, context) as pool:
            yield map(self._gathered, pool.map(_checked_share, asked))

    def _gathered(self, share: Share) -> Share:
        """One that another process has checked."""
        for fault in share.found.faults:
            self._verification.tell(fault)
        self._verification.conversations += share.found.conversations
        self._verification.events += share.found.events
        self._keys.due += share.due
        self._keys.early += share.early
        self._attached.names |= share.attached
        return share

    def _streams(self) -> dict[Any, Stream]:
        """Every stream by its number; one whose name is not what was committed to is told."""
        found: dict[Any, Stream] = {}
        for stream in self._scan.every(Stream):
            found[stream.stream] = stream
            if not has_types(stream) or (
                stream.name is not None
                and stream.owner != owner(self._genesis.digest, stream.life, stream.name)
            ):
                what = "its id is not the one that its rows were recorded under"
                self._verification.tell(Fault(_name(stream), None, what))
        return found

    def count_attachments(self) -> None:
        if names := self._attached.names.values():
            self._verification.attachments = len(names)
            self._verification.attached_bytes = sum(named.length for named in names)

    def known(self, name: str) -> None:
        """One conversation, by its id."""
        stream = self._scan.stream(name)
        if stream is None and self._scan.head(name) is None:
            raise UnknownConversation(name)
        self._one(stream, _rows(self._scan, stream), name)
        attachments.check_some(self._scan, self._attached.names, self._verification.tell)

    def _one(
        self, stream: Stream | None, rows: Iterable[Row], name: str | None = None
    ) -> chain.Chain | None:
        tell = self._verification.tell
        if stream is None:
            rows = list(rows)
            what = "its rows belong to no stream: what names them was removed"
            tell(Fault(None, None, what))
            return None
        if stream.name is None and name is not None:
            tell(Fault(name, None, "its id was dropped, and still finds it"))
        name = name or _name(stream)
        if stream.name is not None and not self._is_found(name or "", stream):
            tell(Fault(name, None, "it is not found by its id"))
        chained = chain.Chain(
            name or "", stream, self._scan, self._checkpoint, tell,
            begins=self._begins(stream, name or ""), keys=self._keys, attached=self._attached,
        )  # fmt: skip
        events = chain.check(chained, rows)
        if name is None or is_conversation(name):
            self._verification.conversations += 1
            self._verification.events += events
        return chained

    def _begins(self, stream: Stream, name: str) -> bytes | None:
        """What its first row goes on from; None where that is not known."""
        if not has_types(stream) or (stream.life > 1 and stream.name is None):
            return None
        if stream.life <= 1:
            return self._genesis.digest
        ended = self._scan.stream(name, stream.life - 1)
        before = self._scan.rows_newest_first(ended.stream, 2**62, 1) if ended else ()
        if not before:
            what = f"its life {stream.life} has none before it: what was there was removed"
            self._verification.tell(Fault(name, None, what))
        return chain.digest_of(before[0]) if before else None

    def _erasures(self) -> None:
        """An erasure that was cut off, or whose bytes may be left."""
        left = unfinished(self._scan)
        if left.open is not None:
            number, _, _, event = left.open
            why = f"recorded by {event.actor or 'nobody named'}, is not finished"
            what = f"erasure {number}, {why}: whoever opens the log to write finishes it"
            self._verification.tell(Fault(None, None, what))
        elif left.vacuum is not None and left.vacuum.how != "no":
            what = f"bytes of erasure {left.vacuum.erasure} may be left in free space"
            self._verification.tell(Fault(None, None, what))

    def _lives(self, share: Share) -> None:
        """A later life of an id that was dropped goes on from the end of one that was, too."""
        for number, first in share.begun.items():
            if first not in share.ended:
                what = "its first row does not follow from the life before it"
                self._verification.tell(Fault(erased(number), 1, what))

    def _is_found(self, name: str, stream: Stream) -> bool:
        found = self._scan.stream(name, stream.life)
        return found is not None and found.stream == stream.stream

    def _orphans(self, streams: Mapping[Any, Stream], seen: Collection[Any]) -> None:
        """Streams, heads, snapshots and keys that no rows answer to, or whose id was dropped."""
        scan, tell = self._scan, self._verification.tell
        dropped = {number for number, stream in streams.items() if stream.name is None}
        for number, stream in streams.items():
            if not self._has_rows(number, seen):
                what = "it has a stream, but no rows: they were cut off"
                tell(Fault(_name(stream), None, what))
        for head in scan.every(Head):
            name = head.conversation
            if head.stream in dropped:
                tell(Fault(named(name), None, "its id was dropped, but its head was not"))
            elif not isinstance(name, str) or scan.stream(name) is None:
                what = "it has heads, but no rows: they were cut off"
                tell(Fault(named(name), None, what))
        for number, _ in groupby(scan.every(Snapshot), key=lambda snapshot: snapshot.stream):
            if number in dropped:
                what = "its id was dropped, but its snapshots were not"
                tell(Fault(_name(streams[number]), None, what))
            elif not self._has_rows(number, seen):
                what = f"there are snapshots of stream {number!r}, but no rows: they were cut off"
                tell(Fault(None, None, what))
        self._keys.compare(scan, tell)

    def _has_rows(self, number: Any, seen: Collection[Any]) -> bool:
        """Also such as were recorded meanwhile."""
        return number in seen or bool(self._scan.rows(number, _FIRST, None, 1))


def _checked_share(asked: tuple[Where, int, int, int, int]) -> Share:
    """What a process finds in the streams of some numbers."""
    (url, keys), first, last, upto, checkpoint = asked
    opened = recorder_of(url, keys=keys, create=False, readonly=True)
    found = Verification()
    try:
        with opened.scan() as scan:
            checking = _Checking(scan, opened.genesis, found)
            checking._keys = KeySums(opened.genesis.secret, checkpoint, upto)
            streams = {s.stream: s for s in scan.every(Stream) if first <= s.stream <= last}
            share = checking.share(scan.rows_between(first, last), streams, upto)
            share.found, share.due, share.early = found, checking._keys.due, checking._keys.early
            share.attached = checking._attached.names
            return share
    finally:
        opened.close()


def _name(stream: Stream | None) -> str | None:
    """A conversation's name for a report; what somebody made of it may be none."""
    if stream is None:
        return None
    if stream.name is None:
        return erased(stream.stream)
    try:
        return decode_name(stream.name)
    except (StorageError, TypeError):
        return repr(stream.name)


def _rows(scan: Scan, stream: Stream | None) -> Iterator[Row]:
    after = _FIRST
    while stream and (rows := scan.rows(stream.stream, after, None, ROWS_AT_ONCE)):
        yield from rows
        after = rows[-1].version


class _Counted:
    """Rows as they come, and how many came."""

    def __init__(self, rows: Iterable[Any], upto: int) -> None:
        self._rows = rows
        self._upto = upto
        self.number = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.number += not isinstance(row.position, int) or row.position <= self._upto
            yield row

"""Verifies a log: its chain, and that heads, snapshots and read models follow from it.

Finds a row of any table that was changed, removed, exchanged or inserted, and a tail that was cut
while something derived from it remains. Does not find a log that was cut back together with
everything derived from it, or written again from the beginning: that takes heads signed and stored
outside the database.
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
"""Shares of each process, so that all processes end at about the same time."""

ROWS_AT_ONCE = 500
"""Rows of a table that one query reads."""

_FIRST = -(2**62)

Where = tuple[str, str | None]
"""The URLs of a log and of its key store."""


class Verification(msgspec.Struct):
    """What was found, with the number of verified conversations and their events.

    attachments: how many values are stored outside the rows, with their attached_bytes; None
    without any.
    """

    ok: bool = True
    conversations: int = 0
    events: int = 0
    faults: list[Fault] = []
    attachments: int | None = None
    attached_bytes: int | None = None

    def report(self, fault: Fault) -> None:
        """Adds a fault."""
        self.ok = False
        self.faults.append(fault)


def verify(
    recorder: Recorder,
    conversations: Iterable[str] | None = None,
    *,
    projections: Mapping[str, AnyProjection] = PROJECTIONS,
    jobs: int = 1,
) -> Verification:
    """Verifies the whole log, or the rows, heads and snapshots of the conversations named.

    Reads the log up to its current end, one conversation at a time. On PostgreSQL it holds no
    snapshot and slows no writer. Any stored damage is reported, not raised. Raises
    UnknownConversation for an unknown id. jobs: processes that share the rows of a whole log; a log
    in memory is read by this process alone. The faults and their order do not depend on it.
    """
    verification = Verification()
    end = End(recorder)
    with recorder.scan() as scan:
        try:
            checking = _Checking(scan, recorder.genesis, verification)
            if conversations is None:
                checking.all(projections, recorder.where, jobs)
                if (what := end.missed(scan)) is not None:
                    verification.report(Fault(None, None, what))
            else:
                for name in conversations:
                    checking.known(name)
            checking.count_attachments()
        except StorageError as error:
            verification.report(Fault(None, None, str(error)))
    return verification


class Share(msgspec.Struct):
    """A share of the log's streams. rows: their number. seen: the streams with rows.

    begun, ended: of streams whose id was dropped, what a later life continues from, and where one
    ends. found, due, early: another process's findings, and the sums of its keys.
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
    """One pass through a log."""

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
        """Checks the whole log."""
        scan, report = self._scan, self._verification.report
        streams, last, whole = self._streams(), self._last, Share()
        with self._shares(streams, where, jobs, last) as shares:
            complaints = list(scan.complaints())  # while the other processes work
            self._keys.read(scan)
            for share in shares:
                whole.seen |= share.seen
                whole.begun |= share.begun
                whole.ended |= share.ended
                whole.rows += share.rows
        for complaint in complaints:  # faults of conversations come first
            report(Fault(None, None, complaint))
        if whole.rows != last:
            count = amount(whole.rows, "row")
            what = f"the log's last position is {last}, but it has {count}"
            report(Fault(None, None, what))
        self._lives(whole)
        self._orphans(streams, whole.seen)
        attachments.check_all(scan, self._attached.names, report)
        models.check(scan, {**projections, TREE.name: TREE}, report)
        with suppress(StorageError, TypeError, ValueError):  # rows that were reported already
            self._erasures()

    def share(self, every: Iterable[Row], streams: Mapping[Any, Stream], upto: int) -> Share:
        """Checks the rows of some streams. Counts those at positions up to `upto`."""
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
        """The rows of all streams in one share, or in shares that other processes check.

        Each process reads its streams itself.
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
        """A share that another process has checked."""
        for fault in share.found.faults:
            self._verification.report(fault)
        self._verification.conversations += share.found.conversations
        self._verification.events += share.found.events
        self._keys.due += share.due
        self._keys.early += share.early
        self._attached.names |= share.attached
        return share

    def _streams(self) -> dict[Any, Stream]:
        """Every stream by its number. Reports those whose name does not match the commitment."""
        found: dict[Any, Stream] = {}
        for stream in self._scan.every(Stream):
            found[stream.stream] = stream
            if not has_types(stream) or (
                stream.name is not None
                and stream.owner != owner(self._genesis.digest, stream.life, stream.name)
            ):
                what = "its id is not the one that its rows were recorded under"
                self._verification.report(Fault(_name(stream), None, what))
        return found

    def count_attachments(self) -> None:
        """Counts the attachments that the checked rows name."""
        if names := self._attached.names.values():
            self._verification.attachments = len(names)
            self._verification.attached_bytes = sum(named.length for named in names)

    def known(self, name: str) -> None:
        """Checks one conversation, by its id."""
        stream = self._scan.stream(name)
        if stream is None and self._scan.head(name) is None:
            raise UnknownConversation(name)
        self._one(stream, _rows(self._scan, stream), name)
        attachments.check_some(self._scan, self._attached.names, self._verification.report)

    def _one(
        self, stream: Stream | None, rows: Iterable[Row], name: str | None = None
    ) -> chain.Chain | None:
        report = self._verification.report
        if stream is None:
            rows = list(rows)
            what = "its rows have no stream: the stream was removed"
            report(Fault(None, None, what))
            return None
        if stream.name is None and name is not None:
            report(Fault(name, None, "its id was dropped but still finds it"))
        name = name or _name(stream)
        if stream.name is not None and not self._is_found(name or "", stream):
            report(Fault(name, None, "it is not found by its id"))
        chained = chain.Chain(
            name or "", stream, self._scan, self._checkpoint, report,
            begins=self._begins(stream, name or ""), keys=self._keys, attached=self._attached,
        )  # fmt: skip
        events = chain.check(chained, rows)
        if name is None or is_conversation(name):
            self._verification.conversations += 1
            self._verification.events += events
        return chained

    def _begins(self, stream: Stream, name: str) -> bytes | None:
        """The digest that its first row follows; None if it is unknown."""
        if not has_types(stream) or (stream.life > 1 and stream.name is None):
            return None
        if stream.life <= 1:
            return self._genesis.digest
        ended = self._scan.stream(name, stream.life - 1)
        before = self._scan.rows_newest_first(ended.stream, 2**62, 1) if ended else ()
        if not before:
            what = f"its life {stream.life} has no life before it: the earlier rows were removed"
            self._verification.report(Fault(name, None, what))
        return chain.digest_of(before[0]) if before else None

    def _erasures(self) -> None:
        """Reports an erasure that was cut off, or whose bytes may be left."""
        left = unfinished(self._scan)
        if left.open is not None:
            number, _, _, event = left.open
            why = f"recorded by {event.actor or 'an unnamed actor'}, is not finished"
            what = f"erasure {number}, {why}; opening the log for writing finishes it"
            self._verification.report(Fault(None, None, what))
        elif left.vacuum is not None and left.vacuum.how != "no":
            what = f"bytes of erasure {left.vacuum.erasure} may be left in free space"
            self._verification.report(Fault(None, None, what))

    def _lives(self, share: Share) -> None:
        """Checks that a later life of a dropped id follows the end of an earlier one."""
        for number, first in share.begun.items():
            if first not in share.ended:
                what = "its first row does not follow from the life before it"
                self._verification.report(Fault(erased(number), 1, what))

    def _is_found(self, name: str, stream: Stream) -> bool:
        found = self._scan.stream(name, stream.life)
        return found is not None and found.stream == stream.stream

    def _orphans(self, streams: Mapping[Any, Stream], seen: Collection[Any]) -> None:
        """Reports streams, heads, snapshots and keys that have no rows, or whose id was dropped."""
        scan, report = self._scan, self._verification.report
        dropped = {number for number, stream in streams.items() if stream.name is None}
        for number, stream in streams.items():
            if not self._has_rows(number, seen):
                what = "it has a stream, but no rows: they were cut off"
                report(Fault(_name(stream), None, what))
        for head in scan.every(Head):
            name = head.conversation
            if head.stream in dropped:
                report(Fault(named(name), None, "its id was dropped, but its head was not"))
            elif not isinstance(name, str) or scan.stream(name) is None:
                what = "it has heads, but no rows: they were cut off"
                report(Fault(named(name), None, what))
        for number, _ in groupby(scan.every(Snapshot), key=lambda snapshot: snapshot.stream):
            if number in dropped:
                what = "its id was dropped, but its snapshots were not"
                report(Fault(_name(streams[number]), None, what))
            elif not self._has_rows(number, seen):
                what = f"stream {number!r} has snapshots, but no rows: they were cut off"
                report(Fault(None, None, what))
        self._keys.compare(scan, report)

    def _has_rows(self, number: Any, seen: Collection[Any]) -> bool:
        """Whether the stream has rows, also such as were recorded meanwhile."""
        return number in seen or bool(self._scan.rows(number, _FIRST, None, 1))


def _checked_share(asked: tuple[Where, int, int, int, int]) -> Share:
    """What a process finds in a range of streams."""
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
    """A conversation's id for a report. In a changed log it may not be readable."""
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
    """Counts rows as they pass."""

    def __init__(self, rows: Iterable[Any], upto: int) -> None:
        self._rows = rows
        self._upto = upto
        self.number = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.number += not isinstance(row.position, int) or row.position <= self._upto
            yield row

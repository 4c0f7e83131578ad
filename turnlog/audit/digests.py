"""Verifies the chain of a sealed log without its keys, by the stored commitments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from turnlog.audit.chain import digest_of
from turnlog.audit.fault import Fault
from turnlog.audit.models import check_checkpoints
from turnlog.audit.verify import Verification
from turnlog.domain.streams import UPKEEP
from turnlog.encoding import rows as encoding
from turnlog.errors import StorageError
from turnlog.storage.end import End
from turnlog.storage.reader import Scan
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Genesis, Head, Row, SealedRow, Stream, has_types


def verify_digests(recorder: Recorder) -> Verification:
    """Checks rows, heads and checkpoints by their digests. Opens no content.

    Does not find a change inside a sealed part, head or entry: that takes the keys.
    """
    verification, end = Verification(), End(recorder)
    with recorder.scan() as scan:
        _Digests(scan, recorder.genesis, verification).all()
        for complaint in scan.complaints():
            verification.report(Fault(None, None, complaint))
        if (what := end.missed(scan)) is not None:
            verification.report(Fault(None, None, what))
    return verification


class _Digests:
    def __init__(self, scan: Scan, genesis: Genesis, verification: Verification) -> None:
        self._scan = scan
        self._genesis = genesis
        self._found = verification
        self._newest: dict[Any, Row] = {}
        self._begun: dict[bytes, tuple[Row, int]] = {}
        self._rows = 0

    def all(self) -> None:
        scan = self._scan
        streams: dict[Any, Stream] = {stream.stream: stream for stream in scan.every(Stream)}
        for number, rows in groupby(scan.every(Row), key=attrgetter("stream")):
            if number not in streams:
                self._report(None, "rows have no stream: the stream was removed")
            self._stream(rows)
        if self._rows != (last := scan.last_position()):
            self._report(None, f"the log's last position is {last}, but it has {self._rows} rows")
        self._begins(streams)
        self._heads(scan.every(Head))
        for number in streams.keys() - self._newest.keys():
            if not scan.rows(number, 0, None, 1):
                self._report(None, f"stream {number!r} has no rows: they were cut off")
        check_checkpoints(scan, self._found.report)

    def _report(self, row: Row | None, what: str) -> None:
        where = f"stream {row.stream:012x}, version {row.version}: " if row else ""
        self._found.report(Fault(None, None, f"{where}{what}"))

    def _stream(self, rows: Iterable[Row]) -> None:
        before: Row | None = None
        events = 0
        for row in rows:
            if not has_types(row):
                self._report(None, f"position {row.position!r}: a column has the wrong type")
                return
            self._rows += row.position <= self._scan.last_position()
            for what in self._faults(before, row):
                self._report(row, what)
            events += len(_tags(row))
            before = row
        if before is not None:
            self._newest[before.stream] = before
            if before.conversation != UPKEEP:
                self._found.conversations += 1
                self._found.events += events

    def _faults(self, before: Row | None, row: Row) -> Iterator[str]:
        if before is None:
            self._begun[row.previous] = row, _first(row)
            if row.version > 1:
                yield "is the first stored row"
        else:
            if row.previous != digest_of(before):
                yield "does not follow from the row before it: one of the two was changed"
            if row.version != before.version + 1 or row.position <= before.position:
                yield f"comes after version {before.version}, at position {row.position}"
        if isinstance(row, SealedRow) and digest_of(row) not in (row.seal, None):
            yield "does not match the digest stored with it"
        due = len(_tags(row)) + _keys(row)
        if (
            encoding.is_commit(row.topic)
            and row.commitments
            and due * encoding.DIGEST_BYTES != len(row.commitments)
        ):
            yield "does not have a commitment for each event and key"

    def _begins(self, streams: dict[Any, Stream]) -> None:
        """Checks what first rows follow: genesis, the life before, or a row of a fork's origin."""
        ends = {digest_of(row) for row in self._newest.values()} | {self._genesis.digest}
        waiting = {digest: begun for digest, begun in self._begun.items() if digest not in ends}
        if any(first > 1 for _, first in waiting.values()):
            for row in self._scan.every(Row):
                waiting.pop(digest_of(row) or b"", None)
        for row, _ in waiting.values():
            self._report(row, "does not continue from any stored row")

    def _heads(self, heads: Iterable[Head]) -> None:
        for head in heads:
            if not has_types(head):
                self._report(None, f"a head of stream {head.stream!r}: a column has the wrong type")
                continue
            rows = self._scan.rows(head.stream, head.version - 1, head.version)
            if not rows or (head.position, head.digest) != (rows[0].position, digest_of(rows[0])):
                what = (
                    f"the head of stream {head.stream:012x} does not match version {head.version}"
                )
                self._report(None, f"{what}: it was changed, or rows were cut off")


def _tags(row: Row) -> tuple[int, ...]:
    try:
        return encoding.decode_skeleton(row.skeleton).tags
    except StorageError:  # of what another application stored, or changed
        return ()


def _keys(row: Row) -> int:
    try:
        return encoding.decode_skeleton(row.skeleton).keys
    except StorageError:
        return 0


def _first(row: Row) -> int:
    try:
        return encoding.decode_skeleton(row.skeleton).first_event
    except StorageError:
        return 1

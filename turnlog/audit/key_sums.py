"""Whether the table of keys matches the rows: by sums, so that no key has to be looked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256

from turnlog.audit.fault import Fault, Report, named
from turnlog.domain.amounts import amount
from turnlog.domain.commit import Commit
from turnlog.domain.events import HistoryContinued
from turnlog.encoding.apart import BARE
from turnlog.encoding.rows import is_commit
from turnlog.errors import StorageError
from turnlog.storage.lookups import fork_lookup, repeat_lookups
from turnlog.storage.reader import Scan
from turnlog.storage.rows import Key, Row, has_types


class KeySums:
    """The keys that follow from the rows, added up.

    due: those up to the checkpoint, which the table must have. early: later ones, which it may
    have.
    """

    def __init__(self, secret: bytes, checkpoint: int, upto: int) -> None:
        """checkpoint: the table's position. upto: later rows are ignored."""
        self._secret = secret
        self._checkpoint = checkpoint
        self._upto = upto
        self._found: int | None = None
        self._firsts = _Firsts()
        self.due = 0
        self.early = 0

    def add(self, row: Row, commit: Commit) -> None:
        """Adds a row's keys."""
        for lookup in self._firsts.of(row, self._lookups(row, commit)):
            number = _number(lookup, row.position)
            if row.position <= self._checkpoint:
                self.due += number
            elif row.position <= self._upto:
                self.early += number

    def _lookups(self, row: Row, commit: Commit) -> Iterator[bytes]:
        """The lookups of a row: by idempotency keys and message ids, and by a fork's origin.

        Lookups of a dropped id were dropped from the table with it.
        """
        if row.name is not None:
            yield from repeat_lookups(self._secret, commit)
        first = commit.events[0] if commit.version == 1 and commit.events else None
        if isinstance(first, HistoryContinued) and first.conversation is not None:
            yield fork_lookup(self._secret, first.conversation, row.stream)

    def read(self, scan: Scan) -> None:
        """Adds up the table."""
        self._found = self._sum(scan)

    def compare(self, scan: Scan, report: Report) -> None:
        """Reports what is wrong with the table. Looks keys up only if the sums differ."""
        if self._found is not None and self._found in (self.due, self.due + self.early):
            return
        count = 0
        for fault in self._faults(scan):
            count += 1
            report(fault)
        if not count:
            report(Fault(None, None, "the table of keys does not match the rows"))

    def _faults(self, scan: Scan) -> Iterator[Fault]:
        known, firsts = 0, _Firsts()
        for row in scan.every(Row):
            with suppress(StorageError, TypeError, ValueError):
                commit = row.commit(BARE) if has_types(row) and is_commit(row.topic) else None
                if commit is None:
                    continue
                for lookup in firsts.of(row, self._lookups(row, commit)):
                    if [one.position for one in scan.keyed_rows([lookup])] == [row.position]:
                        known += 1
                    elif row.position <= self._checkpoint:
                        what = f"the table of keys does not have the key of version {row.version}"
                        yield Fault(named(commit.conversation), commit.first_event, what)
        if (more := sum(1 for _ in self._keys(scan)) - known) > 0:
            yield Fault(None, None, f"the table of keys has {amount(more, 'key')} without a row")

    def _sum(self, scan: Scan) -> int | None:
        """The table's keys, added up; None if a column has the wrong type."""
        total = 0
        for key in self._keys(scan):
            if not has_types(key):
                return None
            total += _number(*key)
        return total

    def _keys(self, scan: Scan) -> Iterator[Key]:
        """The table's keys, without those of rows that were recorded meanwhile."""
        for key in scan.every(Key):
            is_later = isinstance(key.position, int) and key.position > self._upto
            if not is_later or not self._is_rows(scan, key):
                yield key

    def _is_rows(self, scan: Scan, key: Key) -> bool:
        """Whether the row at the key's position has it."""
        for row in scan.tail(key.position - 1, 1):
            with suppress(StorageError, TypeError, ValueError):
                commit = row.commit(BARE)
                return row.position == key.position and key.lookup in self._lookups(row, commit)
        return False


class _Firsts:
    """Separates new lookups of a stream from those of its earlier rows.

    A message can be in the rows twice if an import or a framework recorded it twice.
    """

    def __init__(self) -> None:
        self._stream: int | None = None
        self._seen: set[bytes] = set()

    def of(self, row: Row, lookups: Iterable[bytes]) -> list[bytes]:
        """The new lookups. Rows must come in order, stream by stream."""
        if row.stream != self._stream:
            self._stream, self._seen = row.stream, set()
        new = [lookup for lookup in dict.fromkeys(lookups) if lookup not in self._seen]
        self._seen.update(new)
        return new


def _number(lookup: bytes, position: int) -> int:
    said = sha256(lookup + position.to_bytes(8, "big", signed=True)).digest()
    return int.from_bytes(said, "big")

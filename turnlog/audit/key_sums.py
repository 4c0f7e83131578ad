"""Whether the table of keys is what the rows say: by sums, so that no key has to be looked up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256

from turnlog.audit.fault import Fault, Tell, named
from turnlog.encoding.rows import is_commit
from turnlog.errors import StorageError
from turnlog.storage.recorder import Scan
from turnlog.storage.rows import Key, Row, has_types, key_lookup


class KeySums:
    """The keys that rows give, added up.

    due: of those that the table must have. early: of those behind the checkpoint, which it may.
    """

    def __init__(self, secret: bytes, checkpoint: int, upto: int = 2**63) -> None:
        """checkpoint: position up to which the table has come. upto: what is later is no matter."""
        self._secret = secret
        self._checkpoint = checkpoint
        self._upto = upto
        self._found: int | None = None
        self.due = 0
        self.early = 0

    def add(self, conversation: str, key: str, life: int, position: int) -> None:
        number = _number(key_lookup(self._secret, conversation, key, life), position)
        if position <= self._checkpoint:
            self.due += number
        elif position <= self._upto:
            self.early += number

    def read(self, scan: Scan) -> None:
        """Add up the table."""
        self._found = _sum(scan)

    def compare(self, scan: Scan, tell: Tell) -> None:
        """Tell what is wrong with the table; each key is looked up only where something is."""
        if self._found is not None and self._found in (self.due, self.due + self.early):
            return
        told = 0
        for fault in self._faults(scan):
            told += 1
            tell(fault)
        if not told:
            tell(Fault(None, None, "the table of keys is not what the rows say"))

    def _faults(self, scan: Scan) -> Iterator[Fault]:
        known = 0
        for row in scan.every(Row):
            with suppress(StorageError, TypeError, ValueError):
                commit = row.commit() if has_types(row) and is_commit(row.topic) else None
                if commit is None or commit.key is None or row.name is None:
                    continue
                lookup = key_lookup(self._secret, commit.conversation, commit.key, commit.life)
                if [one.position for one in scan.keyed_rows([lookup])] == [row.position]:
                    known += 1
                elif row.position <= self._checkpoint:
                    what = f"the key of version {row.version} is not found by it"
                    yield Fault(named(commit.conversation), commit.first_event, what)
        if (more := sum(1 for _ in scan.every(Key)) - known) > 0:
            yield Fault(None, None, f"{more} keys are those of no row")


def _sum(scan: Scan) -> int | None:
    """The table's keys, added up; None where a column is of another type."""
    total = 0
    for key in scan.every(Key):
        if not has_types(key):
            return None
        total += _number(*key)
    return total


def _number(lookup: bytes, position: int) -> int:
    said = sha256(lookup + position.to_bytes(8, "big", signed=True)).digest()
    return int.from_bytes(said, "big")

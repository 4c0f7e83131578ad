"""The high-water file of a SQLite log: how far the log had come, in a file next to it.

SQLite silently drops commits if its `-wal` is missing or damaged, and heads have no digests of rows
that the derived tables have not reached. The file is written after the commits, never before them:
a log that ends earlier, or whose newest rows differ, has lost rows.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, NamedTuple, Self

from turnlog.errors import Corrupt, StorageError
from turnlog.storage.reader import Reader
from turnlog.storage.rows import HEADS, Row

SLOT_BYTES = 4096
"""The distance of the two slots, a disk's unit of writing: a torn write damages only one."""

_SLOT = struct.Struct(">8sQQ32sQ")
_MAGIC = b"TLhigh02"
_CHECKSUM_BYTES = 16
_LOCK_SECONDS = 0.25
_ROWS_AT_ONCE = 500

if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        """Windows lets a second process write: for a moment the lower of two marks may remain."""
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HighWater(NamedTuple):
    """How far a log has come. digest: over the rows after `since`, up to and including `position`.

    since: a position at which heads contain every stream's newest digest. All are 0, and the digest
    zeros, for an empty log.
    """

    position: int
    digest: bytes
    since: int

    @classmethod
    def now(cls, reader: Reader) -> Self:
        """The mark of the log as read. Raises Corrupt if its newest rows cannot be read."""
        end, found = reader.last_position(), reader.checkpoint(HEADS)
        since = min(found.position, end) if found else 0
        try:
            return cls._upto(reader, end, since)
        except _UNREADABLE as error:
            raise Corrupt(f"the rows from position {since} on cannot be read: {error}") from error

    @classmethod
    def _upto(cls, reader: Reader, position: int, since: int) -> Self:
        first = reader.tail(since - 1, 1) if since else ()
        mark = cls(since, first[0].digest() if first else bytes(32), since)
        return mark.through(reader, position)

    def through(self, reader: Reader, position: int) -> Self:
        """The mark with the rows up to a position."""
        mark = self
        while (count := min(position - mark.position, _ROWS_AT_ONCE)) > 0:
            if not (rows := reader.tail(mark.position, count)):
                break
            mark = mark.after(rows)
        return mark

    def after(self, rows: Iterable[Row]) -> Self:
        """The mark with the rows that follow it."""
        position, digest, since = self
        sha256 = hashlib.sha256
        for row in rows:
            position, digest = row.position, sha256(digest + row.digest()).digest()
        return type(self)(position, digest, since)

    def missed(self, reader: Reader) -> str | None:
        """How the log falls short of this mark; None if it does not."""
        end = reader.last_position()
        if end < self.position:
            return f"the log ended at {self.position}, now at {end}"
        if self.position and self._again(reader) != self:
            return f"the log ended at {self.position}, where it now holds another row{self._or}"
        return None

    @property
    def _or(self) -> str:
        first = max(self.since, 1)
        return f", or at one from {first} on" if first < self.position else ""

    def _again(self, reader: Reader) -> HighWater | None:
        """The mark at the same position as the log gives it now; None if a row cannot be read."""
        try:
            return self._upto(reader, self.position, self.since)
        except _UNREADABLE:  # a column was changed
            return None


_UNREADABLE = (TypeError, ValueError, OverflowError, AttributeError, StorageError)


class HighWaterFile:
    """Two slots, written alternately, each with a checksum. Processes share the file.

    path: of the log's database.
    """

    def __init__(self, path: str) -> None:
        self._database = os.path.realpath(path)
        self.path = f"{self._database}-highwater"

    def if_needed(self, *, keeps_wal: bool) -> Self | None:
        """The file for a log that is only read; None if it neither exists nor is needed.

        Without a `-wal`, as in a backup, the database cannot have lost commits.
        """
        return self if keeps_wal or self.exists() else None

    @property
    def lack(self) -> str:
        """Why the file cannot be read."""
        state = "damaged" if self.exists() else "missing"
        return f"{self.path} is {state}"

    def exists(self) -> bool:
        """Whether the file exists, damaged or not."""
        return os.path.exists(self.path)

    def read(self) -> HighWater | None:
        """The newest mark; None if no slot can be read."""
        try:
            with open(self.path, "rb") as file:
                return _newest(file)[1]
        except OSError:
            return None

    def advance(self, mark: HighWater) -> None:
        """Writes a mark unless the file has a further one. Raises OSError."""
        self._write(mark, lambda found: found is None or _reach(found) < _reach(mark))

    def replace(self, lost: HighWater, mark: HighWater) -> None:
        """Replaces a mark of lost rows, unless another process did. Raises OSError."""
        self._write(mark, lambda found: found == lost)

    def remove(self) -> None:
        """Removes the file of a log that was replaced. The next process that opens the log writes
        another.
        """
        with suppress(FileNotFoundError):
            os.unlink(self.path)

    def _write(self, mark: HighWater, is_due: Callable[[HighWater | None], bool]) -> None:
        with self._locked() as file:
            sequence, found = _newest(file)
            if is_due(found):
                file.seek((sequence + 1) % 2 * SLOT_BYTES)
                file.write(_encoded(sequence + 1, mark))

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        until = time.monotonic() + _LOCK_SECONDS
        with open(self.path, "r+b", buffering=0, opener=self._opened) as file:
            while True:
                try:
                    _lock(file.fileno())
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise
                time.sleep(0.001)
            yield file

    def _opened(self, path: str, flags: int) -> int:
        """Opens the file with the permissions of the database."""
        mode = os.stat(self._database).st_mode & 0o666
        return os.open(path, flags | os.O_CREAT, mode)


def _reach(mark: HighWater) -> tuple[int, int]:
    """Orders marks. Of two at one position, the one that needs fewer rows is further."""
    return mark.position, mark.since


def _encoded(sequence: int, mark: HighWater) -> bytes:
    content = _SLOT.pack(_MAGIC, sequence, *mark)
    return content + _checksum(content)


def _newest(file: BinaryIO) -> tuple[int, HighWater | None]:
    """The number of the last write, and its mark; 0 and None for an empty file."""
    content = file.read(2 * SLOT_BYTES)
    slots = [_decoded(content[start:]) for start in (0, SLOT_BYTES)]
    return max((slot for slot in slots if slot is not None), default=(0, None))


def _decoded(content: bytes) -> tuple[int, HighWater] | None:
    """A slot's number and mark; None if it was never written completely."""
    kept, checksum = content[: _SLOT.size], content[_SLOT.size :][:_CHECKSUM_BYTES]
    if len(kept) < _SLOT.size or checksum != _checksum(kept):
        return None
    magic, sequence, *mark = _SLOT.unpack(kept)
    return (sequence, HighWater(*mark)) if magic == _MAGIC else None


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:_CHECKSUM_BYTES]

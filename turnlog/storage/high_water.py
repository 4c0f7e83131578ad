"""The high-water file of a SQLite log: how far the log had come, kept beside it.

SQLite drops commits without a word where its `-wal` is missing or damaged, and no head holds the
digests of rows that the derived tables are behind. The file is written behind the commits and never
ahead of them: a log that ends before it, or whose newest rows are others, has lost rows.
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
"""Apart by as much as a disk writes at once: a write that is cut off damages one of the two."""

_SLOT = struct.Struct(">8sQQ32sQ")
_MAGIC = b"TLhigh02"
_CHECKSUM_BYTES = 16
_LOCK_SECONDS = 0.25
_ROWS_AT_ONCE = 500

if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        """Nothing keeps a second process out there: for a moment the lower of two may stay."""
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HighWater(NamedTuple):
    """How far a log has come. digest: over the rows from `since` up to and with `position`.

    since: a position up to which heads hold every stream's newest digest. All are 0, and the digest
    zeros, for an empty log.
    """

    position: int
    digest: bytes
    since: int

    @classmethod
    def now(cls, reader: Reader) -> Self:
        """Of the log as it is read. Raises Corrupt where its newest rows say nothing."""
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
        """With the rows up to a position."""
        mark = self
        while (count := min(position - mark.position, _ROWS_AT_ONCE)) > 0:
            if not (rows := reader.tail(mark.position, count)):
                break
            mark = mark.after(rows)
        return mark

    def after(self, rows: Iterable[Row]) -> Self:
        """With the rows that follow."""
        position, digest, since = self
        sha256 = hashlib.sha256
        for row in rows:
            position, digest = row.position, sha256(digest + row.digest()).digest()
        return type(self)(position, digest, since)

    def missed(self, reader: Reader) -> str | None:
        """How a log that had come so far falls short of it; None where it does not."""
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
        """As the log gives it; None where what is there is no row."""
        try:
            return self._upto(reader, self.position, self.since)
        except _UNREADABLE:  # a column that somebody changed
            return None


_UNREADABLE = (TypeError, ValueError, OverflowError, AttributeError, StorageError)


class HighWaterFile:
    """Two slots, written in turn, each with a checksum. Several processes share it.

    path: of the log's database.
    """

    def __init__(self, path: str) -> None:
        self._database = os.path.realpath(path)
        self.path = f"{self._database}-highwater"

    def if_needed(self, *, keeps_wal: bool) -> Self | None:
        """For a log that is only read: None where it is neither there nor needed.

        Without a `-wal`, as in a backup, what there is of a database is all there was.
        """
        return self if keeps_wal or self.exists() else None

    @property
    def lack(self) -> str:
        """What to say where nothing can be read."""
        state = "damaged" if self.exists() else "missing"
        return f"{self.path} is {state}"

    def exists(self) -> bool:
        """Whether there is one, damaged or not."""
        return os.path.exists(self.path)

    def read(self) -> HighWater | None:
        """None where there is none that is whole."""
        try:
            with open(self.path, "rb") as file:
                return _newest(file)[1]
        except OSError:
            return None

    def advance(self, mark: HighWater) -> None:
        """Write how far the log has come, unless what is there is further. Raises OSError."""
        self._write(mark, lambda found: found is None or _reach(found) < _reach(mark))

    def replace(self, lost: HighWater, mark: HighWater) -> None:
        """Go back from what was lost, unless somebody else did. Raises OSError."""
        self._write(mark, lambda found: found == lost)

    def remove(self) -> None:
        """Of a log that was replaced; the next that opens it begins another."""
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
        """Whoever may write the log may write the file."""
        mode = os.stat(self._database).st_mode & 0o666
        return os.open(path, flags | os.O_CREAT, mode)


def _reach(mark: HighWater) -> tuple[int, int]:
    """Of two at one position the one that fewer rows have to be read for is further."""
    return mark.position, mark.since


def _encoded(sequence: int, mark: HighWater) -> bytes:
    content = _SLOT.pack(_MAGIC, sequence, *mark)
    return content + _checksum(content)


def _newest(file: BinaryIO) -> tuple[int, HighWater | None]:
    """The number of the write that came last, and what it wrote; 0 and None of an empty file."""
    content = file.read(2 * SLOT_BYTES)
    slots = [_decoded(content[start:]) for start in (0, SLOT_BYTES)]
    return max((slot for slot in slots if slot is not None), default=(0, None))


def _decoded(content: bytes) -> tuple[int, HighWater] | None:
    """None where the slot was never written, or not to its end."""
    kept, checksum = content[: _SLOT.size], content[_SLOT.size :][:_CHECKSUM_BYTES]
    if len(kept) < _SLOT.size or checksum != _checksum(kept):
        return None
    magic, sequence, *mark = _SLOT.unpack(kept)
    return (sequence, HighWater(*mark)) if magic == _MAGIC else None


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:_CHECKSUM_BYTES]

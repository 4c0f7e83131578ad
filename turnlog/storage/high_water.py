"""The high-water file of a SQLite log: how far the log had come, kept beside it.

SQLite drops commits without a word where its `-wal` is missing or damaged. The file is written
behind the commits and never ahead of them: a log that ends before it, or holds another row there,
has lost rows.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

from turnlog.errors import Corrupt
from turnlog.storage.rows import Row

if TYPE_CHECKING:
    from turnlog.storage.recorder import Reader

SLOT_BYTES = 4096
"""Apart by as much as a disk writes at once: a write that is cut off damages one of the two."""

_SLOT = struct.Struct(">8sQQ32s")
_MAGIC = b"TLhigh01"
_CHECKSUM_BYTES = 16
_LOCK_SECONDS = 0.25

if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        """Nothing keeps a second process out there: for a moment the lower of two may stay."""
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class HighWater(NamedTuple):
    """Position and digest of a log's newest row; 0 and zeros for an empty log."""

    position: int
    digest: bytes

    @classmethod
    def of(cls, row: Row) -> Self:
        return cls(row.position, row.digest())

    @classmethod
    def now(cls, reader: Reader) -> Self:
        """Of the log as it is read. Raises Corrupt where its newest row says nothing."""
        if not (end := reader.last_position()):
            return cls(0, bytes(32))
        found = _at(reader, end)
        if found is None:
            raise Corrupt(f"the row at position {end} cannot be read")
        return cls(*found)

    def missed(self, reader: Reader) -> str | None:
        """How a log that had come so far falls short of it; None where it does not."""
        end = reader.last_position()
        if end < self.position:
            return f"the log ended at {self.position}, now at {end}"
        if self.position and _at(reader, self.position) != self:
            return f"the log ended at {self.position}, where it now holds another row"
        return None


def _at(reader: Reader, position: int) -> HighWater | None:
    """Of the row at a position; None where there is none, or what is there is no row."""
    try:
        return next((HighWater.of(row) for row in reader.tail(position - 1, 1)), None)
    except (TypeError, ValueError, OverflowError, AttributeError):  # a column that somebody changed
        return None


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
        self._write(mark, lambda found: found is None or found.position < mark.position)

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
    magic, sequence, position, digest = _SLOT.unpack(kept)
    return (sequence, HighWater(position, digest)) if magic == _MAGIC else None


def _checksum(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:_CHECKSUM_BYTES]

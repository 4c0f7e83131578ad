"""A folder to which heads and tiles are published (c2sp.org/tlog-tiles), for any static server.

Next to `checkpoint` and `tile/`, every checkpoint stays under `checkpoints/` by its size.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from turnlog.errors import ProofError
from turnlog.proof.checkpoint import LogCheckpoint
from turnlog.proof.merkle import HASH_BYTES
from turnlog.proof.note import Note
from turnlog.proof.tiles import HEIGHT, WIDTH, path

ENTRIES = "entries"

if sys.platform == "win32":

    def _lock(file: IO[bytes]) -> None:
        """Without locks: on Windows the operator lets only one process write."""
else:
    import fcntl

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)


class TileFolder:
    """Reads and writes the files of one log. Raises ProofError if the system refuses a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def newest(self) -> Note | None:
        """The last published checkpoint; None before the first. Raises InvalidNote."""
        content = _read(self.folder / "checkpoint")
        return None if content is None else Note.parse(content)

    def every(self) -> Iterator[Note]:
        """All published checkpoints. Raises InvalidNote."""
        for file in self.files():
            if (content := _read(file)) is not None:
                yield Note.parse(content)

    def files(self) -> list[Path]:
        """The files of all checkpoints, without those that a crash left unfinished."""
        found = (self.folder / "checkpoints").rglob("[!.]*")
        return sorted(file for file in found if file.is_file())

    def tile(self, level: int, index: int) -> bytes:
        """The tile as far as it was published; b"" if it was not."""
        full = self.folder / "tile" / path(str(level), index)
        return _read(full) or _widest(full.with_name(f"{full.name}.p")) or b""

    def entries(self, index: int) -> list[bytes]:
        """The digests in a bundle of entries, as far as it was published."""
        full = self.folder / "tile" / path(ENTRIES, index)
        bundled = _read(full) or _widest(full.with_name(f"{full.name}.p")) or b""
        size = HASH_BYTES + 2
        return [bundled[at + 2 : at + size] for at in range(0, len(bundled), size)]

    def put(self, kind: str, index: int, content: bytes, width: int) -> None:
        """Writes a tile or a bundle of entries. A full one replaces its partial ones."""
        with _naming():
            file = self.folder / "tile" / path(kind, index, width)
            write_durably(file, content)
            if width == WIDTH:
                shutil.rmtree(file.with_name(f"{file.name}.p"), ignore_errors=True)

    def publish(self, note: Note) -> None:
        """Makes a checkpoint the newest. Its tiles must have been written."""
        size = LogCheckpoint.parse(note.text).size
        with _naming():
            write_durably(self.folder / path("checkpoints", size), str(note).encode())
            write_durably(self.folder / "checkpoint", str(note).encode())


def changed(old: int, new: int) -> Iterator[tuple[int, int, int]]:
    """Level, index and width of the tiles in which a tree differs from its first `old` leaves."""
    level = 0
    while new:
        for index in range(old // WIDTH, -(-new // WIDTH)):
            width = min(WIDTH, new - index * WIDTH)
            if index * WIDTH + width > old:
                yield level, index, width
        level, old, new = level + 1, old >> HEIGHT, new >> HEIGHT


def bundle(digests: list[bytes]) -> bytes:
    """The bundle of entries: each digest after its length."""
    return b"".join(HASH_BYTES.to_bytes(2, "big") + digest for digest in digests)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Excludes other processes that write to the folder."""
    with _naming():
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("ab")
    with file:
        _lock(file)
        yield


def _read(file: Path) -> bytes | None:
    with _naming():
        try:
            return file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None


def _widest(partials: Path) -> bytes | None:
    with _naming():
        names = [int(file.name) for file in partials.glob("*") if file.name.isdecimal()]
    return _read(partials / str(max(names))) if names else None


@contextmanager
def _naming() -> Iterator[None]:
    """Raises ProofError, naming the file, if the system refuses one."""
    try:
        yield
    except OSError as error:
        raise ProofError(f"{error.filename}: {error.strerror}") from error


def write_durably(file: Path, content: bytes) -> None:
    """Replaces a file's content; durable on return. A crash leaves the old content or the new.

    Only one process may write to a file at a time.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    with unfinished.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    os.replace(unfinished, file)

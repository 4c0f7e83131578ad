"""Output files: a file is complete or absent, and a stream is written through."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from contextlib import nullcontext
from pathlib import Path

STDOUT = Path("-")


def is_stdout(path: Path) -> bool:
    """Whether a path is `-` or another name of standard output."""
    if path == STDOUT:
        return True
    try:
        return not path.is_dir() and os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


def is_stream(path: Path) -> bool:
    """Whether a path is a standard output, device or pipe, which no file can replace."""
    if is_stdout(path) or _is_descriptor(path):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _is_descriptor(path: Path) -> bool:
    """Whether a path names a file that the parent process opened, of whatever kind."""
    return str(path).startswith(("/dev/std", "/dev/fd/", "/proc/"))


def sha256_of(path: Path) -> str:
    """SHA-256 of the file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class OutgoingFile:
    """A file that is written under a temporary name and renamed when it is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = is_stream(path)
        if self._stream:
            import tempfile  # slow to import, seldom needed

            handle, name = tempfile.mkstemp(prefix="turnlog-")
            os.close(handle)
            self.unfinished = Path(name)
        else:
            self._target = path.resolve()
            self.unfinished = self._target.with_name(f".{self._target.name}.unfinished")

    def finish(self) -> None:
        """Moves the closed file into place, or copies it whole into a stream."""
        if self._stream:
            pour(self.unfinished, self.path)
        else:
            os.replace(self.unfinished, self._target)

    def discard(self) -> None:
        """Removes the temporary file, if it is not finished."""
        self.unfinished.unlink(missing_ok=True)


def pour(source: Path, into: Path) -> None:
    """Copies a file into a stream."""
    import shutil

    stream = nullcontext(sys.stdout.buffer) if is_stdout(into) else into.open("ab")
    with source.open("rb") as file, stream as out:
        shutil.copyfileobj(file, out)
        out.flush()


def write(path: Path, content: bytes) -> None:
    """Writes a whole file, or into a stream."""
    outgoing = OutgoingFile(path)
    try:
        outgoing.unfinished.write_bytes(content)
        outgoing.finish()
    finally:
        outgoing.discard()

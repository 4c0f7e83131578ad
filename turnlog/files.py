"""Files that somebody asked for: whole or not there, and what is not a file is written through."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from contextlib import nullcontext
from pathlib import Path

STDOUT = Path("-")


def is_stdout(path: Path) -> bool:
    """Whether a path is `-`, or leads to standard output by another name."""
    if path == STDOUT:
        return True
    try:
        return not path.is_dir() and os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


def is_stream(path: Path) -> bool:
    """Whether a path is standard output, a device, a pipe: what cannot be replaced by a file."""
    if is_stdout(path) or _is_descriptor(path):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _is_descriptor(path: Path) -> bool:
    """Whether a path names a file that whoever started us has opened, whatever that is."""
    return str(path).startswith(("/dev/std", "/dev/fd/", "/proc/"))


def sha256_of(path: Path) -> str:
    """Of the file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class OutgoingFile:
    """A file that is written under another name, and has its own once it is finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = is_stream(path)
        if self._stream:
            import tempfile  # takes long, and few need it

            handle, name = tempfile.mkstemp(prefix="turnlog-")
            os.close(handle)
            self.unfinished = Path(name)
        else:
            self._target = path.resolve()
            self.unfinished = self._target.with_name(f".{self._target.name}.unfinished")

    def finish(self) -> None:
        """Put the file, closed by now, in its place; into a stream, all of it at once."""
        if self._stream:
            pour(self.unfinished, self.path)
        else:
            os.replace(self.unfinished, self._target)

    def discard(self) -> None:
        """Leave nothing of it, unless it is finished."""
        self.unfinished.unlink(missing_ok=True)


def pour(source: Path, into: Path) -> None:
    """Copy a file into a stream."""
    import shutil

    stream = nullcontext(sys.stdout.buffer) if is_stdout(into) else into.open("ab")
    with source.open("rb") as file, stream as out:
        shutil.copyfileobj(file, out)
        out.flush()


def write(path: Path, content: bytes) -> None:
    """Write a whole file, or through what is none."""
    outgoing = OutgoingFile(path)
    try:
        outgoing.unfinished.write_bytes(content)
        outgoing.finish()
    finally:
        outgoing.discard()

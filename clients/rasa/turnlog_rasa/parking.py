"""The file for what could not be sent, so that it outlives the process."""

from __future__ import annotations

import glob
import json
import logging
import os
import re
from typing import Any, Dict, Iterable, List, Optional, Tuple

from turnlog_rasa.parcels import Parcel, of_lines

try:
    import fcntl
except ImportError:  # Windows: one Rasa in a folder
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)


class Parking:
    """One parcel a line, readable only by its owner (0600), emptied once all is sent.

    Each process has its own file: `path`, `path.2`, … A process takes over the files of those that
    have ended. server: whose parcels they are; a file with another server's is left alone.
    """

    def __init__(self, path: str, server: str) -> None:
        self.path = os.path.abspath(path)
        self.name = self.path
        self._server = server
        self._file: Optional[int] = None
        folder = os.path.dirname(self.path)
        if not os.access(folder, os.W_OK):
            raise PermissionError(
                f"{folder} cannot be written, but turns wait there while the server is unreachable;"
                " name another file with `parked`"
            )

    def taken_over(self) -> List[Parcel]:
        """What earlier processes left, in order. This process's file now contains it."""
        left = [(name, file) for name in self._names() if (file := _locked(name)) is not None]
        lines: List[Dict[str, Any]] = []
        ours = []
        for name, file in left:
            found = list(_lines(name))
            if any(line["server"] != self._server for line in found):
                logger.error("%s contains turns for %s; they stay there", name, found[0]["server"])
                os.close(file)
            else:
                ours.append((name, file))
                lines += found
        parcels = of_lines(lines)
        if ours:
            self._take_over(ours, parcels)
        return parcels

    def _take_over(self, ours: List[Tuple[str, int]], parcels: List[Parcel]) -> None:
        (self.name, self._file), *others = ours
        self.keep(parcels)
        for name, file in others:
            os.unlink(name)
            os.close(file)

    def _names(self) -> List[str]:
        own = re.compile(re.escape(self.path) + r"(\.\d+)?")
        found = sorted(glob.glob(glob.escape(self.path) + "*"))
        return [name for name in found if own.fullmatch(name)]

    def add(self, parcels: Iterable[Parcel]) -> None:
        """Appends parcels; durable on return. Raises OSError and leaves the file as it was."""
        file = self._own()
        size = os.fstat(file).st_size
        try:
            _write(file, self._text(parcels))
        except OSError:
            os.ftruncate(file, size)
            raise

    def keep(self, parcels: Iterable[Parcel]) -> None:
        """Replaces the file's parcels; durable on return."""
        text = self._text(parcels)
        file = self._own()
        if not text:
            os.ftruncate(file, 0)
            os.fsync(file)
            return
        fresh = _locked(f"{self.name}.new", os.O_CREAT | os.O_TRUNC)
        if fresh is None:
            raise BlockingIOError(f"{self.name}.new belongs to another process")
        _write(fresh, text)
        os.replace(f"{self.name}.new", self.name)
        self._file = fresh
        os.close(file)

    def close(self) -> None:
        """Closes the file, and removes it if nothing waits."""
        if self._file is None:
            return
        if not os.fstat(self._file).st_size:
            os.unlink(self.name)
        os.close(self._file)
        self._file = None

    def _own(self) -> int:
        number = 1
        while self._file is None:
            self.name = self.path if number == 1 else f"{self.path}.{number}"
            self._file = _locked(self.name, os.O_CREAT, empty=True)
            number += 1
        return self._file

    def _text(self, parcels: Iterable[Parcel]) -> str:
        return "".join(f"{parcel.as_line(self._server)}\n" for parcel in parcels)


def _locked(name: str, flags: int = 0, empty: bool = False) -> Optional[int]:
    """The open file; None if another process has it, or if it is not empty as it must be."""
    try:
        file = os.open(name, os.O_RDWR | os.O_APPEND | flags, 0o600)
    except FileNotFoundError:
        return None
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.chmod(name, 0o600)
        found = os.fstat(file)
        if found.st_ino != os.stat(name).st_ino or (empty and found.st_size):
            raise BlockingIOError(name)
    except (BlockingIOError, FileNotFoundError):
        os.close(file)
        return None
    return file


def _write(file: int, text: str) -> None:
    left = memoryview(text.encode())
    while left:
        left = left[os.write(file, left) :]
    os.fsync(file)


def _lines(name: str) -> Iterable[Dict[str, Any]]:
    with open(name, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except ValueError:  # a crash during the write: its turn was never reported as stored
                logger.error("%s, line %d: is incomplete", name, number)

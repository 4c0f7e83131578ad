"""Checks whether a log still reaches as far as it once did."""

from __future__ import annotations

from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder


class End:
    """How far the log had come, according to its high-water file. Made before the log is read."""

    def __init__(self, recorder: Recorder) -> None:
        self._file = recorder.high_water
        self._reached = self._file.read() if self._file is not None else None

    def missed(self, reader: Reader) -> str | None:
        """What is missing at the end, or why that is unknown; None if nothing is missing."""
        if self._file is None:
            return None
        if self._reached is None:
            return f"the end of the log cannot be verified: {self._file.lack}"
        return self._reached.missed(reader)

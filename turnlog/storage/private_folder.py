"""A temporary folder that only its process uses."""

from __future__ import annotations

import os
import shutil
from tempfile import mkdtemp
from weakref import finalize


class PrivateFolder:
    """Disappears at the end of `with`, with its object, or with the process that made it.

    A fork of that process leaves it in place, because the parent still needs it.
    """

    def __init__(self) -> None:
        self.path = mkdtemp(prefix="turnlog-")
        self._remove = finalize(self, _remove, self.path, os.getpid())

    def __enter__(self) -> str:
        return self.path

    def __exit__(self, *error: object) -> None:
        self._remove()


def _remove(path: str, process: int) -> None:
    if os.getpid() == process:
        shutil.rmtree(path, ignore_errors=True)

"""Removes a SQLite log that a command made and left empty."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from turnlog.errors import StorageError
from turnlog.storage.high_water import HighWaterFile
from turnlog.storage.sqlite import SqliteRecorder
from turnlog.storage.sqlite_files import beside


@contextmanager
def removed_unused(path: str | None) -> Iterator[None]:
    """If the block makes a log at a path and fails, removes the log again if it is empty."""
    is_there = path is None or os.path.exists(path)
    try:
        yield
    except BaseException:
        if not is_there and path is not None:
            with suppress(StorageError):
                _remove_empty(path)
        raise


def _remove_empty(path: str) -> None:
    """Removes the files while no one can write. Later writes of other processes are refused."""
    with (
        closing(SqliteRecorder(path, create=False, vouched=False)) as log,
        log.transaction() as transaction,
    ):
        if transaction.last_position() == 0:
            for name in (path, *beside(path)):
                Path(name).unlink(missing_ok=True)
            HighWaterFile(os.path.abspath(path)).remove()

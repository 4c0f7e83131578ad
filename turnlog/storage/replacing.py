"""Replaces a SQLite log by a backup. If it is killed at any point, one of the two is complete."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from turnlog.errors import ForeignDatabase, StorageError, Unavailable
from turnlog.storage.copying import Copied, opened, sync, write_one_file
from turnlog.storage.end import End
from turnlog.storage.high_water import HighWaterFile
from turnlog.storage.recorder import Recorder
from turnlog.storage.sqlite import APPLICATION_ID
from turnlog.storage.sqlite_damage import FOUND
from turnlog.storage.sqlite_files import beside
from turnlog.storage.sqlite_tables import translated


def restore_over(path: Path, database: Path) -> Copied:
    """Replaces a log, damaged or not, by a backup.

    Raises StorageError if the backup itself may have lost rows, and Unavailable if another process
    has the log open. Nothing is changed then.
    """
    target = database.resolve()
    if path.exists() and target.exists() and path.samefile(target):
        raise StorageError(f"{path}: this is the log itself")
    with opened(path) as source:
        _check_end(source, path)
        unfinished = target.with_name(f"{target.name}.unfinished")
        copied = write_one_file(source, unfinished, is_backup=False)
    try:
        with _alone(target):
            unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    sync(target.parent)
    HighWaterFile(str(target)).remove()
    return copied


def _check_end(source: Recorder, path: Path) -> None:
    if (what := End(source).missed(source.reader)) is not None:
        raise StorageError(f"{path}: {what}; it cannot replace a log")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Makes sure that no process has the database open and no file next to it would join the new
    one.

    SQLite itself moves the content of the `-wal` into the database, so that the old log is complete
    until it goes.
    """
    if not target.exists():
        _remove_beside(target)
        yield
        return
    with closing(_connected(target)) as connection:
        try:
            _check_ours(connection, target)
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.execute("BEGIN EXCLUSIVE")
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF not in FOUND:
                raise Unavailable(f"{target}: the log cannot be replaced: {error}") from error
            if not HighWaterFile(str(target)).exists():
                raise ForeignDatabase(f"{target}: this is not recognizable as a log") from error
            _remove_beside(target)  # SQLite cannot read the database with or without it
        yield


def _connected(target: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(target, isolation_level=None, timeout=0)
    except sqlite3.Error as error:
        raise translated(error, str(target)) from error


def _check_ours(connection: sqlite3.Connection, target: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID and target.stat().st_size:
        raise ForeignDatabase(f"{target}: this database is not a turnlog log")


def _remove_beside(target: Path) -> None:
    for name in beside(str(target)):
        Path(name).unlink(missing_ok=True)

"""The tables of a log, changed behind its back, on every back end."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from turnlog.storage.memory import MemoryRecorder
from turnlog.storage.recorder import Recorder


class Tables:
    def __init__(self, store: Recorder) -> None:
        self._store = store

    def run(self, statement: str, *given: Any) -> int:
        """A statement with `{}` before the names of tables and `%s` for what is given."""
        if self._store.url.startswith("sqlite:"):
            path = self._store.url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=30)) as sql, sql:
                done = sql.execute(statement.replace("{}", "").replace("%s", "?"), given)
                return done.rowcount
        import psycopg

        with psycopg.connect(self._store.url, autocommit=True) as sql:
            encoded = [each.encode() if isinstance(each, str) else each for each in given]
            return sql.execute(statement.replace("{}", "turnlog_"), encoded).rowcount

    @property
    def memory(self) -> Any:
        return self._store._tables if isinstance(self._store, MemoryRecorder) else None

    def update(self, table: str, position: int, **columns: Any) -> None:
        """Columns of the row at a position."""
        assert table == "rows"
        if self.memory:
            self._replace(lambda row: row.position == position, **columns)
            return
        for column, value in columns.items():
            statement = f"UPDATE {{}}rows_t1 SET {column} = %s WHERE position = %s"
            assert self.run(statement, value, position) == 1

    def _replace(self, chosen: Callable[[Any], bool], **columns: Any) -> None:
        for table in (self.memory._log, *self.memory._rows.values()):
            table[:] = [row._replace(**columns) if chosen(row) else row for row in table]

    def remove_stream(self, number: int) -> None:
        """With its rows."""
        if self.memory:
            del self.memory._rows[number], self.memory._streams[number]
            self.memory._log[:] = [row for row in self.memory._log if row.stream != number]
            for lives in self.memory._lives.values():
                lives[:] = [life for life in lives if life != number]
            return
        for table in ("rows_t1", "streams"):
            self.run(f"DELETE FROM {{}}{table} WHERE stream = %s", number)

    def drop_name(self, number: int) -> None:
        if self.memory:
            self.memory._streams[number] = self.memory._streams[number]._replace(name=None)
            self._replace(lambda row: row.stream == number, name=None)
            return
        assert self.run("UPDATE {}streams SET name = NULL WHERE stream = %s", number) == 1

    def drop_lookup(self, name: str, life: int | None = None) -> None:
        stream = self._store.reader.stream(name, life)
        assert stream is not None
        if self.memory:
            self.memory._lives[name].remove(stream.stream)
            return
        assert self.run("UPDATE {}streams SET lookup = NULL WHERE stream = %s", stream.stream) == 1

    def drop_id(self, name: str, life: int) -> None:
        stream = self._store.reader.stream(name, life)
        assert stream is not None
        self.drop_lookup(name, life)
        self.drop_name(stream.stream)

    def remove_head(self, name: str) -> None:
        if self.memory:
            del self.memory._heads[name]
            return
        assert self.run("DELETE FROM {}heads WHERE conversation = %s", name) == 1

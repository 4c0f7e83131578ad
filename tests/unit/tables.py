"""Changes the tables of a log directly, on every back end."""

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
        """Run a statement with `{}` before the names of tables and `%s` for the values."""
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
        """Change columns of the row at a position."""
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

    def move(self, position: int, number: int, version: int) -> None:
        """Move a row to another stream."""
        if not self.memory:
            statement = "UPDATE {}rows_t1 SET stream = %s, version = %s WHERE position = %s"
            assert self.run(statement, number, version, position) == 1
            return
        [row] = [row for row in self.memory._log if row.position == position]
        owner = self.memory._streams[number]
        moved = row._replace(
            stream=number, version=version, owner=owner.owner, name=owner.name, life=owner.life
        )
        self.memory._log[self.memory._log.index(row)] = moved
        self.memory._rows[row.stream].remove(row)
        self.memory._rows[number].append(moved)

    def exchange(self, one: int, other: int) -> None:
        """Exchange the numbers of two streams in all rows."""
        if not self.memory:
            for before, after in ((one, -1), (other, one), (-1, other)):
                self.run("UPDATE {}rows_t1 SET stream = %s WHERE stream = %s", after, before)
            return
        rows, streams = self.memory._rows, self.memory._streams
        rows[one], rows[other] = (
            [
                row._replace(
                    stream=to,
                    life=streams[to].life,
                    owner=streams[to].owner,
                    name=streams[to].name,
                )
                for row in rows[of]
            ]
            for to, of in ((one, other), (other, one))
        )
        every = [row for each in rows.values() for row in each]
        self.memory._log[:] = sorted(every, key=lambda row: row.position)

    def edit_snapshot(self, number: int, column: str, value: Any) -> None:
        """Change columns of a stream's newest snapshot."""
        if self.memory:
            found = self.memory._snapshots[number]
            found[max(found)] = found[max(found)]._replace(**{column: value})
            return
        newest = "(SELECT max(version) FROM {}snapshots WHERE stream = %s)"
        statement = (
            f"UPDATE {{}}snapshots SET {column} = %s WHERE stream = %s AND version = {newest}"
        )
        assert self.run(statement, value, number, number) == 1

    def edit_key(self, lookup: bytes, *, to: bytes | None = None, position: int | None = None):
        """Change a key's lookup or position; with neither, remove the key."""
        if self.memory:
            key = self.memory._keys.pop(lookup)
            if to or position:
                kept = key._replace(lookup=to or lookup, position=position or key.position)
                self.memory._keys[kept.lookup] = kept
        elif to is not None:
            assert self.run("UPDATE {}keys SET lookup = %s WHERE lookup = %s", to, lookup) == 1
        elif position is not None:
            statement = "UPDATE {}keys SET position = %s WHERE lookup = %s"
            assert self.run(statement, position, lookup) == 1
        else:
            assert self.run("DELETE FROM {}keys WHERE lookup = %s", lookup) == 1

    def remove_stream(self, number: int) -> None:
        """Remove a stream with its rows."""
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

"""The tables of a log in PostgreSQL, and the statements that read and write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import count
from typing import Any, LiteralString

from eventsourcing.persistence import IntegrityError

from turnlog.storage.postgres_connection import Connection, columns
from turnlog.storage.rows import (
    Body,
    Entry,
    Head,
    Mark,
    Row,
    Snapshot,
    Stored,
    as_found,
    readable,
    sound,
)

LAST_POSITION: LiteralString = "SELECT coalesce(max(position), 0) FROM turnlog_commits"
_ROW: LiteralString = "position, conversation, version, topic, key, previous, state"
_HEAD: LiteralString = "conversation, version, position, digest, event, turn, snapshot, state"
_SNAPSHOT: LiteralString = "conversation, version, event, turn, digest, state, previous"


def stored_text(text: str | bytes) -> bytes:
    """A text as it is stored; one that somebody made no UTF-8 was read as its bytes."""
    return text if isinstance(text, bytes) else text.encode()


class PostgresReader:
    """Reads, each time on a connection that is lent to it."""

    def __init__(self, lent: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._lent = lent

    _taken = staticmethod(sound)

    def _found(
        self,
        made: Callable[[Any], Stored],
        statement: LiteralString,
        parameters: Sequence[Any] = (),
    ) -> list[Stored]:
        return [self._taken(made(found)) for found in self._all(statement, parameters)]

    def _all(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[Any]:
        with self._lent() as connection:
            found: list[Any] = connection.ask(statement, parameters).fetchall()
            return found

    def _one(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> Any:
        found = self._all(statement, parameters)
        return found[0] if found else None

    def last_position(self) -> int:
        position: int = self._one(LAST_POSITION)[0]
        return position

    def head(self, conversation: str) -> Head | None:
        statement: LiteralString = f"SELECT {_HEAD} FROM turnlog_heads WHERE conversation = %b"
        found = self._one(statement, (stored_text(conversation),))
        return self._taken(_head(found)) if found else None

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        statement: LiteralString = (
            f"SELECT {_HEAD} FROM turnlog_heads WHERE conversation > %b ORDER BY 1 LIMIT %b"
        )
        return [
            self._taken(_head(found)) for found in self._all(statement, (after.encode(), limit))
        ]

    def rows(
        self, conversation: str, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        statement: LiteralString = (
            f"SELECT {_ROW} FROM turnlog_commits WHERE conversation = %b AND version > %b"
            " AND version <= %b ORDER BY version LIMIT %b::bigint"
        )
        last = 2**62 if upto is None else upto
        return [
            self._taken(_row(r))
            for r in self._all(statement, (stored_text(conversation), after, last, limit))
        ]

    def bodies(
        self, conversation: str, after: int = 0, limit: int | None = None
    ) -> Sequence[tuple[int, str, bytes]]:
        statement: LiteralString = (
            "SELECT version, topic, state FROM turnlog_commits"
            " WHERE conversation = %b AND version > %b ORDER BY version LIMIT %b::bigint"
        )
        found = self._all(statement, (stored_text(conversation), after, limit))
        return [
            self._taken(Body(version, readable(topic), state)) for version, topic, state in found
        ]

    def rows_newest_first(self, conversation: str, before: int, limit: int) -> Sequence[Row]:
        statement: LiteralString = (
            f"SELECT {_ROW} FROM turnlog_commits WHERE conversation = %b AND version < %b"
            " ORDER BY version DESC LIMIT %b"
        )
        return [
            self._taken(_row(r))
            for r in self._all(statement, (stored_text(conversation), before, limit))
        ]

    def keyed(self, conversation: str, key: str) -> Row | None:
        statement: LiteralString = (
            f"SELECT {_ROW} FROM turnlog_commits WHERE conversation = %b AND key = %b"
        )
        found = self._one(statement, (stored_text(conversation), key.encode()))
        return self._taken(_row(found)) if found else None

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        statement: LiteralString = (
            f"SELECT {_HEAD} FROM turnlog_heads WHERE conversation = ANY (%b::bytea[])"
        )
        encoded = [stored_text(conversation) for conversation in conversations]
        return self._found(_head, statement, (encoded,))

    def keyed_rows(self, keys: Sequence[tuple[str, str]]) -> Sequence[Row]:
        statement: LiteralString = (
            f"SELECT {_ROW} FROM turnlog_commits JOIN unnest(%b::bytea[], %b::bytea[])"
            " AS asked (conversation, key) USING (conversation, key)"
        )
        encoded = ([name.encode() for name, _ in keys], [key.encode() for _, key in keys])
        return self._found(_row, statement, encoded)

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        statement: LiteralString = (
            f"SELECT {_ROW} FROM turnlog_commits WHERE position > %b ORDER BY position LIMIT %b"
        )
        return self._found(_row, statement, (after, limit))

    def snapshot(
        self, conversation: str, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        statement: LiteralString = (
            f"SELECT {_SNAPSHOT} FROM turnlog_snapshots"
            " WHERE conversation = %b AND event <= %b AND turn <= %b"
            " ORDER BY version DESC LIMIT 1"
        )
        limits = (2**62 if event is None else event, 2**62 if turn is None else turn)
        found = self._one(statement, (stored_text(conversation), *limits))
        return self._taken(_snapshot(found)) if found else None

    def snapshots(self, conversation: str) -> Sequence[Snapshot]:
        statement: LiteralString = (
            f"SELECT {_SNAPSHOT} FROM turnlog_snapshots WHERE conversation = %b ORDER BY version"
        )
        return [
            self._taken(_snapshot(found))
            for found in self._all(statement, (stored_text(conversation),))
        ]

    def mark(self, model: str) -> Mark | None:
        statement: LiteralString = (
            "SELECT model, position, digest FROM turnlog_marks WHERE model = %b"
        )
        found = self._one(statement, (model.encode(),))
        return self._taken(_mark(found)) if found else None

    def marks(self) -> Sequence[Mark]:
        statement: LiteralString = "SELECT model, position, digest FROM turnlog_marks ORDER BY 1"
        return self._found(_mark, statement)

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        statement: LiteralString = (
            "SELECT value FROM turnlog_models WHERE model = %b AND conversation = %b AND key = %b"
        )
        found = self._one(statement, (model.encode(), stored_text(conversation), key.encode()))
        return found[0] if found else None

    def entries(
        self, model: str, conversation: str | None = None, prefix: str = ""
    ) -> Iterator[tuple[str, str, bytes]]:
        statement: LiteralString = (
            "SELECT model, conversation, key, value FROM turnlog_models WHERE model = %b"
            " AND substring(key FOR length(%b)) = %b"
        )
        parameters = [model.encode(), prefix.encode(), prefix.encode()]
        if conversation is not None:
            statement += " AND conversation = %b AND key >= %b"
            parameters += [stored_text(conversation), prefix.encode()]
        found = self._all(statement + " ORDER BY conversation, key", parameters)
        return (self._taken(_entry(entry))[1:] for entry in found)


class PostgresTransaction(PostgresReader):
    """Reads and writes on the writer's connection, while it holds the lock."""

    def __init__(self, connection: Connection, asked_last: Any) -> None:
        """asked_last: a cursor of LAST_POSITION, whose answer is not waited for yet."""
        self._connection = connection
        self._asked_last = asked_last
        self._last: int | None = None
        self.appended = False

    def _all(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[Any]:
        found: list[Any] = self._connection.ask(statement, parameters).fetchall()
        return found

    def _do(self, statement: LiteralString, rows: Sequence[Sequence[Any]]) -> None:
        """One statement for all rows, whose columns it takes as arrays."""
        if rows:
            self._connection.ask(statement, columns(rows))

    def last_position(self) -> int:
        last = self._last
        if last is None:
            last = self._last = self._asked_last.fetchone()[0]
        return last

    def append(self, rows: Sequence[Row]) -> None:
        if rows and rows[0].position <= self.last_position():
            raise IntegrityError(f"position {rows[0].position} is there")
        self._do(
            "INSERT INTO turnlog_commits SELECT * FROM unnest(%b::bigint[], %b::bytea[],"
            " %b::bigint[], %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[])",
            [
                (
                    position,
                    conversation.encode(),
                    version,
                    topic.encode(),
                    None if key is None else key.encode(),
                    previous,
                    state,
                )
                for position, conversation, version, topic, key, previous, state in rows
            ],
        )
        if rows:
            self._last = rows[-1].position
            self.appended = True

    def put_heads(self, heads: Sequence[Head]) -> None:
        self._do(
            "INSERT INTO turnlog_heads SELECT * FROM unnest(%b::bytea[], %b::bigint[],"
            " %b::bigint[], %b::bytea[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bytea[])"
            " ON CONFLICT (conversation) DO UPDATE SET version = excluded.version,"
            " position = excluded.position, digest = excluded.digest, event = excluded.event,"
            " turn = excluded.turn, snapshot = excluded.snapshot, state = excluded.state",
            [(head.conversation.encode(), *head[1:]) for head in heads],
        )

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        self._do(
            "INSERT INTO turnlog_snapshots SELECT * FROM unnest(%b::bytea[], %b::bigint[],"
            " %b::bigint[], %b::bigint[], %b::bytea[], %b::bytea[], %b::bigint[])"
            " ON CONFLICT (conversation, version) DO UPDATE SET event = excluded.event,"
            " turn = excluded.turn, digest = excluded.digest, state = excluded.state,"
            " previous = excluded.previous",
            [(snapshot.conversation.encode(), *snapshot[1:]) for snapshot in snapshots],
        )

    def drop_snapshots(self, conversation: str) -> None:
        statement: LiteralString = "DELETE FROM turnlog_snapshots WHERE conversation = %b"
        self._connection.ask(statement, (conversation.encode(),))

    def put_mark(self, mark: Mark) -> None:
        self._connection.ask(
            "INSERT INTO turnlog_marks VALUES (%b, %b, %b) ON CONFLICT (model)"
            " DO UPDATE SET position = excluded.position, digest = excluded.digest",
            (mark.model.encode(), mark.position, mark.digest),
        )

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        name = model.encode()
        encoded = [(name, c.encode(), k.encode(), value) for c, k, value in entries]
        self._do(
            "INSERT INTO turnlog_models SELECT * FROM unnest(%b::bytea[], %b::bytea[],"
            " %b::bytea[], %b::bytea[])"
            " ON CONFLICT (model, conversation, key) DO UPDATE SET value = excluded.value",
            [entry for entry in encoded if entry[3] is not None],
        )
        self._do(
            "DELETE FROM turnlog_models USING unnest(%b::bytea[], %b::bytea[], %b::bytea[])"
            " AS gone (model, conversation, key) WHERE turnlog_models.model = gone.model"
            " AND turnlog_models.conversation = gone.conversation"
            " AND turnlog_models.key = gone.key",
            [entry[:3] for entry in encoded if entry[3] is None],
        )

    def clear(self, model: str) -> None:
        self._connection.ask("DELETE FROM turnlog_models WHERE model = %b", (model.encode(),))
        self._connection.ask("DELETE FROM turnlog_marks WHERE model = %b", (model.encode(),))


class PostgresScan(PostgresTransaction):
    """Reads in one REPEATABLE READ transaction."""

    _taken = staticmethod(as_found)

    def every(self, kind: type[Stored]) -> Iterator[Stored]:
        statement, made = _EVERY[kind]
        name = f"every_{kind.__name__}_{next(_CURSORS)}"
        with self._connection.cursor(name, binary=True) as cursor:
            cursor.itersize = 500
            for found in cursor.execute(statement):
                yield made(found)

    def complaints(self) -> Iterator[str]:
        """None: PostgreSQL checks its own pages and keys."""
        return iter(())


def _row(found: Any) -> Row:
    position, conversation, version, topic, key, previous, state = found
    decoded = None if key is None else readable(key)
    return Row(position, readable(conversation), version, readable(topic), decoded, previous, state)


def _head(found: Any) -> Head:
    return Head(readable(found[0]), *found[1:])


def _snapshot(found: Any) -> Snapshot:
    return Snapshot(readable(found[0]), *found[1:])


def _mark(found: Any) -> Mark:
    return Mark(readable(found[0]), *found[1:])


def _entry(found: Any) -> Entry:
    model, conversation, key, value = found
    return Entry(readable(model), readable(conversation), readable(key), value)


_CURSORS = count()
_EVERY: dict[type, tuple[LiteralString, Callable[[Any], Any]]] = {
    Row: (f"SELECT {_ROW} FROM turnlog_commits ORDER BY conversation, version", _row),
    Head: (f"SELECT {_HEAD} FROM turnlog_heads ORDER BY 1", _head),
    Snapshot: (
        f"SELECT {_SNAPSHOT} FROM turnlog_snapshots ORDER BY conversation, version",
        _snapshot,
    ),
    Mark: ("SELECT model, position, digest FROM turnlog_marks ORDER BY 1", _mark),
    Entry: (
        "SELECT model, conversation, key, value FROM turnlog_models ORDER BY 1, 2, 3",
        _entry,
    ),
}

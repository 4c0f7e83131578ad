"""The tables of a log in PostgreSQL, and the statements that read and write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, LiteralString

from turnlog.storage.lookups import after_keys, lookup_of
from turnlog.storage.postgres_connection import Connection
from turnlog.storage.rows import (
    BlobChunk,
    Body,
    Checkpoint,
    Entry,
    Genesis,
    Head,
    Row,
    Snapshot,
    Stored,
    Stream,
    genesis_in,
    readable,
    sound,
)

LAST_POSITION: LiteralString = "SELECT coalesce(max(position), 0) FROM turnlog_rows_t1"
ROW: LiteralString = "position, stream, version, topic, previous, skeleton, commitments, parts"
_ROWS: LiteralString = (
    f"SELECT {ROW}, owner, name, life FROM turnlog_rows_t1 JOIN turnlog_streams USING (stream)"
)
_BODY: LiteralString = "position, version, topic, previous, skeleton, commitments, parts"
STREAM: LiteralString = "stream, life, owner, name"
HEAD: LiteralString = (
    "conversation, stream, owner, life, version, position, digest, event, turn, snapshot, state"
)
SNAPSHOT: LiteralString = "stream, version, event, turn, digest, state, previous"
CHUNK: LiteralString = "name, number, content"
_OF: LiteralString = (
    "stream = (SELECT stream FROM turnlog_streams WHERE lookup = %b ORDER BY life DESC LIMIT 1)"
)
_OF_LIFE: LiteralString = (
    "stream = (SELECT stream FROM turnlog_streams WHERE lookup = %b AND life = %b)"
)
"""The streams of the newest life of a conversation, and of a given life."""

Lent = Callable[[], AbstractContextManager[Connection]]


def stored_text(text: str | bytes) -> bytes:
    """A text as stored. A text that is not UTF-8 was read as bytes."""
    return text if isinstance(text, bytes) else text.encode()


class PostgresReader:
    """Reads the tables, each time on a lent connection."""

    def __init__(self, lent: Lent, secret: bytes) -> None:
        self._lent = lent
        self.secret = secret

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
        """See `Reader.last_position`."""
        position: int = self._one(LAST_POSITION)[0]
        return position

    def head(self, conversation: str) -> Head | None:
        """See `Reader.head`."""
        statement: LiteralString = f"SELECT {HEAD} FROM turnlog_heads WHERE conversation = %b"
        found = self._one(statement, (stored_text(conversation),))
        return self._taken(head_of(found)) if found else None

    def heads(self, after: str = "", limit: int = 1000) -> Sequence[Head]:
        """See `Reader.heads`."""
        statement: LiteralString = (
            f"SELECT {HEAD} FROM turnlog_heads WHERE conversation > %b ORDER BY 1 LIMIT %b"
        )
        return [
            self._taken(head_of(found)) for found in self._all(statement, (after.encode(), limit))
        ]

    def _of(self, conversation: str, life: int | None = None) -> tuple[LiteralString, list[Any]]:
        lookup = lookup_of(self.secret, conversation)
        return (_OF, [lookup]) if life is None else (_OF_LIFE, [lookup, life])

    def stream(self, conversation: str, life: int | None = None) -> Stream | None:
        """See `Reader.stream`."""
        where, of = self._of(conversation, life)
        statement: LiteralString = f"SELECT {STREAM} FROM turnlog_streams WHERE {where}"
        found = self._one(statement, of)
        return self._taken(Stream._make(found)) if found else None

    def stream_of(self, number: int) -> Stream | None:
        """See `Reader.stream_of`."""
        statement: LiteralString = f"SELECT {STREAM} FROM turnlog_streams WHERE stream = %b"
        found = self._one(statement, (number,))
        return self._taken(Stream._make(found)) if found else None

    def rows(
        self, stream: int, after: int = 0, upto: int | None = None, limit: int | None = None
    ) -> Sequence[Row]:
        """See `Reader.rows`."""
        statement: LiteralString = (
            f"{_ROWS} WHERE stream = %b AND version > %b"
            " AND version <= %b ORDER BY version LIMIT %b::bigint"
        )
        last = 2**62 if upto is None else upto
        return self._found(row_of, statement, [stream, after, last, limit])

    def bodies(self, stream: int, after: int = 0, limit: int | None = None) -> Sequence[Body]:
        """See `Reader.bodies`."""
        statement: LiteralString = (
            f"SELECT {_BODY} FROM turnlog_rows_t1"
            f" WHERE stream = %b AND version > %b ORDER BY version LIMIT %b::bigint"
        )
        return self._found(_body, statement, [stream, after, limit])

    def rows_newest_first(self, stream: int, before: int, limit: int) -> Sequence[Row]:
        """See `Reader.rows_newest_first`."""
        statement: LiteralString = (
            f"{_ROWS} WHERE stream = %b AND version < %b ORDER BY version DESC LIMIT %b"
        )
        return self._found(row_of, statement, [stream, before, limit])

    def keyed_rows(self, lookups: Sequence[bytes]) -> Sequence[Row]:
        """See `Reader.keyed_rows`."""
        statement: LiteralString = (
            f"{_ROWS} WHERE position IN"
            " (SELECT position FROM turnlog_keys WHERE lookup = ANY (%b::bytea[]))"
        )
        return self._found(row_of, statement, (list(lookups),))

    def keyed_rows_under(self, prefix: bytes) -> Sequence[Row]:
        """See `Reader.keyed_rows_under`."""
        statement: LiteralString = (
            f"{_ROWS} WHERE position IN (SELECT position FROM turnlog_keys"
            " WHERE lookup >= %b AND lookup < %b) ORDER BY position"
        )
        return self._found(row_of, statement, (prefix, after_keys(prefix)))

    def heads_newest_first(self, before: int, limit: int) -> Sequence[Head]:
        """See `Reader.heads_newest_first`."""
        statement: LiteralString = (
            f"SELECT {HEAD} FROM turnlog_heads WHERE position < %b ORDER BY position DESC LIMIT %b"
        )
        return self._found(head_of, statement, (before, limit))

    def heads_of(self, conversations: Sequence[str]) -> Sequence[Head]:
        """See `Reader.heads_of`."""
        statement: LiteralString = (
            f"SELECT {HEAD} FROM turnlog_heads WHERE conversation = ANY (%b::bytea[])"
        )
        encoded = [stored_text(conversation) for conversation in conversations]
        return self._found(head_of, statement, (encoded,))

    def tail(self, after: int, limit: int) -> Sequence[Row]:
        """See `Reader.tail`."""
        statement: LiteralString = f"{_ROWS} WHERE position > %b ORDER BY position LIMIT %b"
        return self._found(row_of, statement, (after, limit))

    def snapshot(
        self, stream: int, *, event: int | None = None, turn: int | None = None
    ) -> Snapshot | None:
        """See `Reader.snapshot`."""
        statement: LiteralString = (
            f"SELECT {SNAPSHOT} FROM turnlog_snapshots"
            f" WHERE stream = %b AND event <= %b AND turn <= %b ORDER BY version DESC LIMIT 1"
        )
        limits = (2**62 if event is None else event, 2**62 if turn is None else turn)
        found = self._one(statement, (stream, *limits))
        return self._taken(Snapshot._make(found)) if found else None

    def snapshots(self, stream: int) -> Sequence[Snapshot]:
        """See `Reader.snapshots`."""
        statement: LiteralString = (
            f"SELECT {SNAPSHOT} FROM turnlog_snapshots WHERE stream = %b ORDER BY version"
        )
        return self._found(Snapshot._make, statement, (stream,))

    def chunks(self, name: bytes, first: int, count: int) -> Sequence[BlobChunk]:
        """See `Reader.chunks`."""
        statement: LiteralString = (
            f"SELECT {CHUNK} FROM turnlog_blobs"
            " WHERE name = %b AND number >= %b ORDER BY number LIMIT %b"
        )
        return self._found(BlobChunk._make, statement, (name, first, count))

    def stored(self, name: bytes | None = None) -> tuple[int, int]:
        """See `Reader.stored`."""
        named: LiteralString = "" if name is None else " AND name = %b"
        statement: LiteralString = (
            "SELECT count(*), coalesce(sum(octet_length(content)), 0)::bigint FROM turnlog_blobs"
            f" WHERE number >= 0{named}"
        )
        [(chunks, bytes)] = self._all(statement, () if name is None else (name,))
        return chunks, bytes

    def attachment_names(self) -> Sequence[bytes]:
        """See `Reader.attachment_names`."""
        return [name for (name,) in self._all("SELECT DISTINCT name FROM turnlog_blobs")]

    def checkpoint(self, model: str) -> Checkpoint | None:
        """See `Reader.checkpoint`."""
        statement: LiteralString = (
            "SELECT model, position, digest FROM turnlog_checkpoints WHERE model = %b"
        )
        found = self._one(statement, (model.encode(),))
        return self._taken(checkpoint_of(found)) if found else None

    def checkpoints(self) -> Sequence[Checkpoint]:
        """See `Reader.checkpoints`."""
        statement: LiteralString = (
            "SELECT model, position, digest FROM turnlog_checkpoints ORDER BY 1"
        )
        return self._found(checkpoint_of, statement)

    def get(self, model: str, conversation: str, key: str) -> bytes | None:
        """See `Reader.get`."""
        statement: LiteralString = (
            "SELECT value FROM turnlog_models WHERE model = %b AND conversation = %b AND key = %b"
        )
        found = self._one(statement, (model.encode(), stored_text(conversation), key.encode()))
        return found[0] if found else None

    def entries(
        self,
        model: str,
        conversation: str | None = None,
        prefix: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, str, bytes]]:
        """See `Reader.entries`."""
        statement: LiteralString = (
            "SELECT model, conversation, key, value FROM turnlog_models WHERE model = %b"
            " AND substring(key FOR length(%b)) = %b"
        )
        parameters = [model.encode(), prefix.encode(), prefix.encode()]
        if conversation is not None:
            statement += " AND conversation = %b AND key >= %b"
            parameters += [stored_text(conversation), prefix.encode()]
        statement += " ORDER BY conversation, key LIMIT %b::bigint"
        found = self._all(statement, [*parameters, limit])
        return (self._taken(entry_of(entry))[1:] for entry in found)

    def entries_of(self, model: str, conversations: Sequence[str]) -> Sequence[Entry]:
        """See `Reader.entries_of`."""
        statement: LiteralString = (
            "SELECT model, conversation, key, value FROM turnlog_models"
            " WHERE model = %b AND conversation = ANY (%b::bytea[])"
        )
        encoded = [stored_text(conversation) for conversation in conversations]
        return self._found(entry_of, statement, (model.encode(), encoded))


def row_of(found: Any) -> Row:
    """A row from its columns."""
    position, stream, version, topic, *rest = found
    return Row(position, stream, version, readable(topic), *rest)


def _body(found: Any) -> Body:
    position, version, topic, *rest = found
    return Body(position, version, readable(topic), *rest)


def read_genesis(connection: Connection) -> Genesis | None:
    """The genesis; None if the log has not begun or its beginning was changed."""
    rows = connection.ask(f"SELECT {ROW} FROM turnlog_rows_t1 WHERE position = 0").fetchall()
    secrets = connection.ask("SELECT secret FROM turnlog_format").fetchall()
    return genesis_in([(*row[:3], readable(row[3]), *row[4:]) for row in rows], secrets)


def head_of(found: Any) -> Head:
    """A head from its columns."""
    return Head(readable(found[0]), *found[1:])


def checkpoint_of(found: Any) -> Checkpoint:
    """A checkpoint from its columns."""
    return Checkpoint(readable(found[0]), *found[1:])


def entry_of(found: Any) -> Entry:
    """An entry from its columns."""
    model, conversation, key, value = found
    return Entry(readable(model), readable(conversation), readable(key), value)

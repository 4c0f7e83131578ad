"""What a writer does to the tables of a log in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from eventsourcing.persistence import IntegrityError

from turnlog.storage.lookups import after_keys
from turnlog.storage.postgres_connection import Connection, columns
from turnlog.storage.postgres_tables import PostgresReader
from turnlog.storage.rows import (
    HEADS,
    BlobChunk,
    Checkpoint,
    Genesis,
    Head,
    Key,
    Row,
    Snapshot,
    Stream,
)


class PostgresTransaction(PostgresReader):
    """Reads and writes on the writer's connection, while it holds the lock."""

    def __init__(self, connection: Connection, asked_last: Any, secret: bytes) -> None:
        """asked_last: a cursor of LAST_POSITION whose answer has not been read yet."""
        self._connection = connection
        self.secret = secret
        self._asked_last = asked_last
        self._last: int | None = None
        self.appended = False

    def _all(self, statement: LiteralString, parameters: Sequence[Any] = ()) -> list[Any]:
        found: list[Any] = self._connection.ask(statement, parameters).fetchall()
        return found

    def _do(self, statement: LiteralString, rows: Sequence[Sequence[Any]]) -> None:
        """Executes one statement for all rows, with their columns as arrays."""
        if rows:
            self._connection.ask(statement, columns(rows))

    def last_position(self) -> int:
        """See `Reader.last_position`."""
        last = self._last
        if last is None:
            last = self._last = self._asked_last.fetchone()[0]
        return last

    def put_genesis(self, genesis: Genesis) -> None:
        """See `Transaction.put_genesis`."""
        self._connection.ask("UPDATE turnlog_format SET secret = %b", (genesis.secret,))
        self._connection.ask("DELETE FROM turnlog_rows_t1 WHERE position = 0")
        self._connection.ask(
            "INSERT INTO turnlog_rows_t1 VALUES (0, 0, 0, 'genesis', '', %b, '', '', %b)",
            (genesis.skeleton, genesis.digest),
        )
        self.secret = genesis.secret

    def append(
        self, rows: Sequence[Row], streams: Sequence[Stream] = (), keys: Sequence[Key] = ()
    ) -> None:
        """See `Transaction.append`. Keys are stored immediately: no process knows the
        others' tail.
        """
        if rows and rows[0].position <= self.last_position():
            raise IntegrityError(f"position {rows[0].position} exists already")
        lookups = [stream.lookup(self.secret) for stream in streams]
        self._do(
            "INSERT INTO turnlog_streams SELECT * FROM unnest(%b::bigint[], %b::bigint[],"
            " %b::bytea[], %b::bytea[], %b::bytea[])",
            [(*stream, lookup) for stream, lookup in zip(streams, lookups, strict=True)],
        )
        self._do(
            "INSERT INTO turnlog_rows_t1 SELECT * FROM unnest(%b::bigint[], %b::bigint[],"
            " %b::bigint[], %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[], %b::bytea[],"
            " %b::bytea[])",
            [(*row[:3], row.topic.encode(), *row[4:8], row.digest()) for row in rows],
        )
        self._do("INSERT INTO turnlog_keys SELECT * FROM unnest(%b::bytea[], %b::bigint[])", keys)
        if rows:
            self._last = rows[-1].position
            self.appended = True

    def put_keys(self, keys: Sequence[Key]) -> None:
        """See `Transaction.put_keys`."""
        self._do(
            "INSERT INTO turnlog_keys SELECT * FROM unnest(%b::bytea[], %b::bigint[])"
            " ON CONFLICT DO NOTHING",
            keys,
        )

    def put_heads(self, heads: Sequence[Head]) -> None:
        """See `Transaction.put_heads`."""
        self._do(
            "INSERT INTO turnlog_heads SELECT * FROM unnest(%b::bytea[], %b::bigint[],"
            " %b::bytea[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bytea[], %b::bigint[],"
            " %b::bigint[], %b::bigint[], %b::bytea[])"
            " ON CONFLICT (conversation) DO UPDATE SET stream = excluded.stream,"
            " owner = excluded.owner, life = excluded.life, version = excluded.version,"
            " position = excluded.position, digest = excluded.digest, event = excluded.event,"
            " turn = excluded.turn, snapshot = excluded.snapshot, state = excluded.state",
            [(head.conversation.encode(), *head[1:]) for head in heads],
        )

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """See `Transaction.put_snapshots`."""
        self._do(
            "INSERT INTO turnlog_snapshots SELECT * FROM unnest(%b::bigint[], %b::bigint[],"
            " %b::bigint[], %b::bigint[], %b::bytea[], %b::bytea[], %b::bigint[])"
            " ON CONFLICT (stream, version) DO UPDATE SET event = excluded.event,"
            " turn = excluded.turn, digest = excluded.digest, state = excluded.state,"
            " previous = excluded.previous",
            snapshots,
        )

    def drop_snapshots(self, stream: int) -> None:
        """See `Transaction.drop_snapshots`."""
        statement: LiteralString = "DELETE FROM turnlog_snapshots WHERE stream = %b::bigint"
        self._connection.ask(statement, (stream,))

    def put_chunks(self, chunks: Sequence[BlobChunk]) -> None:
        """See `Transaction.put_chunks`."""
        self._do(
            "INSERT INTO turnlog_blobs"
            " SELECT * FROM unnest(%b::bytea[], %b::bigint[], %b::bytea[]) ON CONFLICT DO NOTHING",
            chunks,
        )

    def drop_chunks(self, name: bytes, below: int) -> None:
        """See `Transaction.drop_chunks`."""
        self._connection.ask(
            "DELETE FROM turnlog_blobs WHERE name = %b AND number < %b", (name, below)
        )

    def put_parts(self, parts: Sequence[tuple[int, bytes, bytes]]) -> None:
        """See `Transaction.put_parts`."""
        self._do(
            "UPDATE turnlog_rows_t1 SET commitments = left_over.commitments,"
            " parts = left_over.parts FROM unnest(%b::bigint[], %b::bytea[], %b::bytea[])"
            " AS left_over (position, commitments, parts)"
            " WHERE turnlog_rows_t1.position = left_over.position",
            parts,
        )

    def drop_name(self, stream: int) -> None:
        """See `Transaction.drop_name`."""
        statement: LiteralString = (
            "UPDATE turnlog_streams SET name = NULL, lookup = NULL WHERE stream = %b::bigint"
        )
        self._connection.ask(statement, (stream,))

    def drop_head(self, conversation: str) -> None:
        """See `Transaction.drop_head`."""
        statement: LiteralString = "DELETE FROM turnlog_heads WHERE conversation = %b"
        self._connection.ask(statement, (conversation.encode(),))

    def drop_keys(self, prefix: bytes) -> None:
        """See `Transaction.drop_keys`."""
        statement: LiteralString = "DELETE FROM turnlog_keys WHERE lookup >= %b AND lookup < %b"
        self._connection.ask(statement, (prefix, after_keys(prefix)))

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        """See `Transaction.put_checkpoint`."""
        self._connection.ask(
            "INSERT INTO turnlog_checkpoints VALUES (%b, %b, %b) ON CONFLICT (model)"
            " DO UPDATE SET position = excluded.position, digest = excluded.digest",
            (checkpoint.model.encode(), checkpoint.position, checkpoint.digest),
        )

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        """See `Transaction.put`."""
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
        """See `Transaction.clear`."""
        if model == HEADS:
            self._connection.ask("DELETE FROM turnlog_heads")
            self._connection.ask("DELETE FROM turnlog_keys")
            self._connection.ask("DELETE FROM turnlog_snapshots")
        self._connection.ask("DELETE FROM turnlog_models WHERE model = %b", (model.encode(),))
        self._connection.ask("DELETE FROM turnlog_checkpoints WHERE model = %b", (model.encode(),))

"""What a writer does to the tables of a log in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import IntegrityError

from turnlog.errors import Corrupt
from turnlog.storage.lookups import after_keys
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
from turnlog.storage.sqlite_tables import HEAD_COLUMNS, INSERT_ROW, SqliteReader, translated

# An update in place writes fewer pages than a replacement, which deletes the row first.
PUT_HEAD = (
    f"INSERT INTO heads ({HEAD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (conversation) DO UPDATE SET stream = excluded.stream, owner = excluded.owner,"
    " life = excluded.life, version = excluded.version,"
    " position = excluded.position, digest = excluded.digest, event = excluded.event,"
    " turn = excluded.turn, snapshot = excluded.snapshot, state = excluded.state"
)


class SqliteTransaction(SqliteReader):
    """Writes on the writer's connection, between BEGIN IMMEDIATE and COMMIT."""

    def _many(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        try:
            if len(parameters) == 1:
                self._cursor.execute(statement, parameters[0])
            elif parameters:
                self._cursor.executemany(statement, parameters)
        except sqlite3.Error as error:
            self._damage.note(error)
            raise translated(error) from error
        except OverflowError as error:  # only in a log whose numbers were changed
            raise Corrupt(f"a number of the log is too large: {error}") from error

    def put_genesis(self, genesis: Genesis) -> None:
        """See `Transaction.put_genesis`."""
        self._many("DELETE FROM secrets", [()])
        self._many("DELETE FROM rows_t1 WHERE position = 0", [()])
        self._many("INSERT INTO secrets VALUES (?)", [(genesis.secret,)])
        self._many(INSERT_ROW, [genesis.columns()])
        self.secret = genesis.secret

    def append(
        self, rows: Sequence[Row], streams: Sequence[Stream] = (), keys: Sequence[Key] = ()
    ) -> None:
        """See `Transaction.append`. Refuses stored keys; new ones wait for `put_keys`."""
        if streams:
            lookups = [stream.lookup(self.secret) for stream in streams]
            self._many(
                "INSERT INTO streams VALUES (?, ?, ?, ?, ?)",
                [(*stream, lookup) for stream, lookup in zip(streams, lookups, strict=True)],
            )
        self._many(INSERT_ROW, [row[:8] for row in rows])
        for key in keys:
            if self._all("SELECT 1 FROM keys WHERE lookup = ?", (key.lookup,)):
                raise IntegrityError("a key exists already")

    def put_keys(self, keys: Sequence[Key]) -> None:
        """See `Transaction.put_keys`."""
        self._many("INSERT OR IGNORE INTO keys VALUES (?, ?)", sorted(keys))

    def put_heads(self, heads: Sequence[Head]) -> None:
        """See `Transaction.put_heads`."""
        self._many(PUT_HEAD, heads)

    def put_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """See `Transaction.put_snapshots`."""
        self._many("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)", snapshots)

    def drop_snapshots(self, stream: int) -> None:
        """See `Transaction.drop_snapshots`."""
        self._many("DELETE FROM snapshots WHERE stream = ?", [(stream,)])

    def put_chunks(self, chunks: Sequence[BlobChunk]) -> None:
        """See `Transaction.put_chunks`."""
        self._many("INSERT OR IGNORE INTO blobs VALUES (?, ?, ?)", chunks)

    def drop_chunks(self, name: bytes, below: int) -> None:
        """See `Transaction.drop_chunks`."""
        self._many("DELETE FROM blobs WHERE name = ? AND number < ?", [(name, below)])

    def put_parts(self, parts: Sequence[tuple[int, bytes, bytes]]) -> None:
        """See `Transaction.put_parts`."""
        self._many(
            "UPDATE rows_t1 SET commitments = ?, parts = ? WHERE position = ?",
            [(commitments, left, position) for position, commitments, left in parts],
        )

    def drop_name(self, stream: int) -> None:
        """See `Transaction.drop_name`."""
        self._many("UPDATE streams SET name = NULL, lookup = NULL WHERE stream = ?", [(stream,)])

    def drop_head(self, conversation: str) -> None:
        """See `Transaction.drop_head`."""
        self._many("DELETE FROM heads WHERE conversation = ?", [(conversation,)])

    def drop_keys(self, prefix: bytes) -> None:
        """See `Transaction.drop_keys`."""
        between = (prefix, after_keys(prefix))
        self._many("DELETE FROM keys WHERE lookup >= ? AND lookup < ?", [between])

    def put_checkpoint(self, checkpoint: Checkpoint) -> None:
        """See `Transaction.put_checkpoint`."""
        self._many("INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?)", [checkpoint])

    def put(self, model: str, entries: Sequence[tuple[str, str, bytes | None]]) -> None:
        """See `Transaction.put`."""
        kept = [(model, c, k, value) for c, k, value in entries if value is not None]
        gone = [(model, c, k) for c, k, value in entries if value is None]
        self._many("INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?)", kept)
        self._many("DELETE FROM models WHERE model = ? AND conversation = ? AND key = ?", gone)

    def clear(self, model: str) -> None:
        """See `Transaction.clear`."""
        for table in ("heads", "keys", "snapshots") if model == HEADS else ():
            self._many(f"DELETE FROM {table}", [()])
        self._many("DELETE FROM models WHERE model = ?", [(model,)])
        self._many("DELETE FROM checkpoints WHERE model = ?", [(model,)])

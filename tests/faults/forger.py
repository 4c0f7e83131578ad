"""A forger who can write to the database and knows its whole format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tests.unit.tables import Tables
from turnlog.audit.rebuilding import rebuild
from turnlog.storage.checkpoints import close_over
from turnlog.storage.high_water import HighWater
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Checkpoint, Genesis, Row, Stream
from turnlog.storage.urls import recorder

Edit = Callable[[list[Row]], Iterable[Row]]


def forge(url: str, edit: Edit, *, tree: bool = True) -> None:
    """Replace the rows of a log, and rebuild everything derived from them.

    tree: the Merkle tree as well; otherwise only its position changes.
    """
    opened = recorder(url)
    try:
        rows = rechained(edit([*opened.reader.tail(0, 10**6)]), opened.genesis)
        put(opened, rows)
        if not tree:
            _leave_tree(opened, rows)
        rebuild(opened) if tree else _rebuild_without_tree(opened)
        if (file := opened.high_water) is not None:
            reached = file.read()
            assert reached is not None
            file.replace(reached, HighWater.now(opened.reader))
    finally:
        opened.close()


def rechained(rows: Iterable[Row], genesis: Genesis) -> list[Row]:
    """The rows in this order, with valid positions, versions and digests."""
    made: list[Row] = []
    newest: dict[int, Row] = {}
    for position, row in enumerate(rows, 1):
        before = newest.get(row.stream)
        version, previous = (
            (1, genesis.digest) if before is None else (before.version + 1, before.digest())
        )
        made.append(row._replace(position=position, version=version, previous=previous))
        newest[row.stream] = made[-1]
    return made


def put(opened: Recorder, rows: Sequence[Row]) -> None:
    tables = Tables(opened)
    for statement in (
        "DELETE FROM {}rows_t1 WHERE position > 0",
        "DELETE FROM {}streams WHERE stream <> 0",
    ):
        tables.run(statement)
    streams = {row.stream: Stream(row.stream, row.life, row.owner, row.name) for row in rows}
    with opened.transaction() as transaction:
        transaction.append(rows, list(streams.values()))


def _leave_tree(opened: Recorder, rows: Sequence[Row]) -> None:
    with opened.transaction() as transaction:
        reached = transaction.checkpoint("tree")
        assert reached is not None
        position = min(reached.position, len(rows))
        transaction.put_checkpoint(Checkpoint("tree", position, rows[position - 1].digest()))
        close_over(transaction)


def _rebuild_without_tree(opened: Recorder) -> None:
    from turnlog.projections import PROJECTIONS
    from turnlog.projections.projection import rebuild as rebuild_one
    from turnlog.projections.rebuilding import rebuild_heads

    rebuild_heads(opened)
    for projection in PROJECTIONS.values():
        rebuild_one(opened, projection)

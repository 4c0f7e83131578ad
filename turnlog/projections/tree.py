"""The Merkle tree over the rows of a log, as a read model (ADR 18)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from turnlog.domain.streams import stream
from turnlog.encoding.rows import log_id_in
from turnlog.projections.projection import catch_up, projected_upto
from turnlog.projections.view import Buffer, Entries, reading
from turnlog.proof import merkle
from turnlog.proof.checkpoint import LogCheckpoint, origin_of
from turnlog.proof.tiles import Tiles, grown
from turnlog.storage.reader import Reader
from turnlog.storage.recent_digests import RecentDigests
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Row
from turnlog.storage.subscription import batches

_PLACE = stream("tree")
"""The conversation of the entries, which no conversation has as its id."""

ROWS_AT_ONCE = 500
"""The number of rows added in one transaction, during which appends wait."""


class TreeProjection:
    """An entry for each tile: up to 256 hashes. Leaf 0 is the genesis row, leaf N is row N."""

    name: ClassVar[str] = "tree"

    def __init__(self, recent: RecentDigests | None = None) -> None:
        self._recent = recent

    def take(self, rows: Sequence[Row], view: Entries) -> None:
        """Adds the leaves of the next rows, including erased and foreign ones."""
        if not rows:
            return
        size = rows[0].position
        digest = self._recent.of if self._recent else Row.digest
        leaves = [merkle.leaf(digest(row)) for row in rows]
        if size == 1:  # the first row follows the genesis row
            size, leaves = 0, [merkle.leaf(rows[0].previous), *leaves]
        for level, index, tile in grown(lambda *at: tile_in(view, *at), size, leaves):
            view.put(_PLACE, _key(level, index), tile)


def tile_in(view: Entries, level: int, index: int) -> bytes:
    """The hashes of a tile; b"" for an unknown tile. Raises Corrupt for an entry that is not a
    tile.
    """
    with reading(TreeProjection.name):
        return bytes(memoryview(view.get(_PLACE, _key(level, index)) or b""))


def _key(level: int, index: int) -> str:
    return f"{level:02} {index:012}"


TREE = TreeProjection()
"""Made, checked and rebuilt like a read model, but not offered as a view."""


class Tree(Tiles):
    """The tree of a log at one moment. size: number of leaves, one more than of rows.

    Raises Corrupt if it was made from other rows.
    """

    def __init__(self, recorder: Recorder) -> None:
        """Brings the tree up to the end of the log; in memory if the log cannot be written."""
        if not recorder.readonly:
            catch_up(recorder, [TreeProjection(recorder.recent)], ROWS_AT_ONCE)
        reader, genesis = recorder.reader, recorder.genesis
        self._view, last = _caught_up(reader)
        self.origin = origin_of(log_id_in(genesis.skeleton))
        self._genesis = merkle.leaf(genesis.digest)
        self.size = last + 1
        super().__init__(self.tile)

    def tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile; b"" for an unknown tile."""
        return tile_in(self._view, level, index) or (b"" if level + index else self._genesis)

    def checkpoint(self, size: int | None = None) -> LogCheckpoint:
        """The checkpoint to be signed, of the current or an earlier size."""
        size = self.size if size is None else size
        return LogCheckpoint(self.origin, size, merkle.root(self.node, size))

    def leaf(self, position: int) -> bytes:
        """The hash of the row at a position."""
        return self.node(0, position)


def _caught_up(reader: Reader) -> tuple[Entries, int]:
    """The entries with later rows folded in, and the last position."""
    last = projected_upto(reader, TREE)
    view = Buffer(reader, TREE.name, reader)
    for rows in batches(reader, last):
        TREE.take(rows, view)
        last = rows[-1].position
    return view, last

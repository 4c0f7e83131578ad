"""Checks rows against a head kept outside the log, as they are read (ADR 18)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from turnlog.encoding import rows as encoding
from turnlog.encoding.names import decode_name
from turnlog.errors import Corrupt, Rewritten, StorageError
from turnlog.projections.tree import TREE, Tree, tile_in
from turnlog.projections.view import StoredView
from turnlog.proof import merkle
from turnlog.proof.backdating import is_backdated
from turnlog.proof.checkpoint import LogCheckpoint, origin_of
from turnlog.proof.merkle import HASH_BYTES
from turnlog.proof.tiles import HEIGHT, WIDTH, Tiles, levels_of, widths
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Body, Head, Row, Stream, erased
from turnlog.storage.subscription import batches

KEPT_TILES = 1000
KEPT_ROWS = 100_000
"""The numbers of tiles and rows that are remembered as checked."""

_NO_ROW = (TypeError, ValueError, AttributeError, OverflowError, StorageError)


class Gate:
    """Passes the rows that a signed head covers, and those recorded since.

    Raises Rewritten if the log's tree differs from the head. time: when the head was signed, if
    known. names: the conversations asked for, by lookup. keys: the keys used in them, as far as
    needed.
    """

    def __init__(self, recorder: Recorder, head: LogCheckpoint, time: int | None = None) -> None:
        self.size = head.size
        self._origin = origin_of(encoding.log_id_in(recorder.genesis.skeleton))
        self._read = _reading(recorder, head)
        self._edge = Tiles(self._tile)
        self._at_edge = {(level, index) for level, index, _ in widths(head.size)}
        self._tiles: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        self._passed: dict[int, int] = {}
        self.names: dict[bytes, str] = {}
        self.keys: dict[str, set[bytes]] = {}
        self._check_head(recorder.reader, head)
        if time is not None:
            self._check_since(recorder.reader, time)

    # --- the head -------------------------------------------------------------------------------

    def _check_head(self, reader: Reader, head: LogCheckpoint) -> None:
        if head.origin != self._origin:
            what = f"the head belongs to the log {head.origin}, this one is {self._origin}"
            raise Rewritten(f"{what}: another log is in its place")
        if (last := reader.last_position()) < head.size - 1:
            what = f"the log ends at position {last}, but a head was signed at {head.size - 1}"
            raise Rewritten(f"{what}: its tail was cut, or an older copy was restored", last)
        try:
            root = merkle.root(self._edge.node, head.size)
        except Corrupt:
            root = b""
        if root != head.root:
            what = f"the log differs from its head of size {head.size}"
            raise Rewritten(f"{what}; `turnlog verify --head` says where")

    def _check_since(self, reader: Reader, time: int) -> None:
        """Rows after the head must not claim to be older than it."""
        for rows in batches(reader, self.size - 1):
            for row in rows:
                if is_backdated(row.topic, row.skeleton, time):
                    what = "claims to be older than the head, which does not contain it"
                    raise Rewritten(f"position {row.position} {what}", row.position, name_of(row))

    def _tile(self, level: int, index: int) -> bytes:
        """A tile, cut to the head's size."""
        width = min(WIDTH, (self.size >> level * HEIGHT) - index * WIDTH)
        return self._read(level, index)[: max(0, width) * HASH_BYTES]

    # --- leaves ---------------------------------------------------------------------------------

    def _check(self, position: int, digest: bytes, name: str) -> None:
        """Raises Rewritten if the row differs from the signed one."""
        if position < self.size and merkle.leaf(digest) != self._hash(0, position):
            where = f"conversation {name!r}, position {position}"
            what = "is not the row that was signed"
            raise Rewritten(f"{where} {what}: it was changed", position, name)

    def _hash(self, level: int, index: int) -> bytes:
        """A hash in a tile that leads to the root."""
        return self._hashes(level, index >> HEIGHT)[index & WIDTH - 1]

    def _hashes(self, level: int, index: int) -> list[bytes]:
        if (level, index) in self._at_edge:
            return self._edge.hashes(level, index)  # already used to compute the root
        if (kept := self._tiles.get((level, index))) is None:
            levels = levels_of(self._tile(level, index))
            if len(levels) <= HEIGHT or levels[HEIGHT] != [self._hash(level + 1, index)]:
                raise Rewritten(f"tile {index} of level {level} of the log's tree was changed")
            kept = self._tiles[level, index] = levels[0]
            if len(self._tiles) > KEPT_TILES:
                self._tiles.popitem(last=False)
        return kept

    # --- what is read ---------------------------------------------------------------------------

    def rows(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows, unchanged. Raises Rewritten for one that differs."""
        for row in rows:
            if self._is_new(row.position, row):
                self._check(row.position, row.digest(), name_of(row))
                self._pass(row.position, row)
        return rows

    def bodies(self, rows: Sequence[Body], of: Callable[[], Stream | None]) -> Sequence[Body]:
        """The rows, unchanged. Raises Rewritten for one that differs. of: returns their stream."""
        new = [row for row in rows if self._is_new(row[0], row)]
        if not new or (stream := of()) is None:
            return rows
        for row in new:
            try:
                digest = _digest(Body._make(row), stream.owner)
            except _NO_ROW:  # the reader of the row reports what is wrong with it
                continue
            self._check(row[0], digest, name_of(stream))
            self._pass(row[0], row)
        return rows

    def heads(self, heads: Sequence[Head]) -> Sequence[Head]:
        """The heads, unchanged. Raises Rewritten for one that differs."""
        for head in heads:
            self._check(head.position, head.digest, head.conversation)
        return heads

    def _is_new(self, position: Any, row: Any) -> bool:
        """Whether the row must be checked because it has not passed before."""
        if not isinstance(position, int) or not position < self.size:
            return False
        return self._passed.get(position) != hash(tuple(row))

    def _pass(self, position: int, row: Any) -> None:
        if len(self._passed) >= KEPT_ROWS:
            self._passed.clear()
        self._passed[position] = hash(tuple(row))


def _digest(row: Body, owner: bytes) -> bytes:
    made = row.commitments or encoding.commitments(row.parts)
    return encoding.digest(owner, row.version, row.topic, row.previous, row.skeleton, made)


def name_of(named: Row | Stream) -> str:
    """The conversation's id; the repr of a stored name that is not valid."""
    try:
        return erased(named.stream) if named.name is None else decode_name(named.name)
    except (StorageError, TypeError):
        return repr(named.name)


def _reading(recorder: Recorder, head: LogCheckpoint) -> Callable[[int, int], bytes]:
    """Reads the log's tree: the stored one if it reaches the head, else one computed in memory."""
    reader = recorder.reader
    checkpoint = reader.checkpoint(TREE.name)
    if checkpoint is not None and checkpoint.position >= head.size - 1:
        view = StoredView(reader, TREE.name)
        return lambda level, index: tile_in(view, level, index)
    return Tree(recorder).tile

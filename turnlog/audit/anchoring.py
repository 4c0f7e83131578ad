"""Whether a log continues from heads that were signed earlier and stored elsewhere (ADR 18)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from turnlog.audit.fault import Fault, Report
from turnlog.domain.amounts import amount
from turnlog.encoding.rows import decode_skeleton, is_commit, log_id_in
from turnlog.errors import InvalidNote, StorageError
from turnlog.projections.tree import TreeProjection, tile_in
from turnlog.projections.view import StoredView
from turnlog.proof import merkle, timestamp
from turnlog.proof.backdating import is_backdated
from turnlog.proof.checkpoint import LogCheckpoint, SignedCheckpoint, checked, origin_of
from turnlog.proof.folder import TileFolder
from turnlog.proof.keys import Verifier
from turnlog.proof.merkle import HASH_BYTES
from turnlog.proof.note import Note
from turnlog.proof.tiles import WIDTH, Read, Tiles, grown, hashes_of
from turnlog.storage.reader import Scan
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Row, has_types
from turnlog.storage.subscription import BATCH_COMMITS

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_UNREADABLE = bytes(HASH_BYTES)
"""The leaf of an unreadable row."""


class KeptHead(NamedTuple):
    """A head, and the tiles next to it, if there are any."""

    signed: SignedCheckpoint
    tiles: Read | None = None

    @property
    def checkpoint(self) -> LogCheckpoint:
        """The log's size and root at the head."""
        return self.signed.checkpoint

    @property
    def time(self) -> int | None:
        """When it was signed at the latest, according to witnesses, UTC seconds; None without."""
        return max(self.signed.times, default=None)


class Anchored(msgspec.Struct, frozen=True):
    """How far the log agrees with its heads.

    position: the last one that agrees; -1 if none does. after: the number of rows after it.
    """

    heads: int
    position: int
    after: int


def head_in(
    file: Path,
    content: bytes,
    verifiers: Sequence[Verifier],
    authorities: Sequence[Certificate] = (),
) -> KeptHead:
    """The head in a file. Raises InvalidNote, naming the file.

    authorities: whose timestamps next to the file are trusted.
    """
    try:
        signed = checked(Note.parse(content), verifiers)
        if authorities and (stamp := timestamp.beside(file)).is_file():
            time = timestamp.time_of(stamp.read_bytes(), signed.note.text, authorities)
            signed = signed._replace(times=(*signed.times, time))
    except InvalidNote as error:
        raise InvalidNote(f"{file}: {error}") from error
    folder = next((each for each in file.resolve().parents if (each / "tile").is_dir()), None)
    return KeptHead(signed, None if folder is None else TileFolder(folder).tile)


def check(recorder: Recorder, heads: Sequence[KeptHead], report: Report) -> Anchored:
    """Reports where the log differs from the heads. Any stored damage is reported, not raised.

    Reads the whole log in order of position.
    """
    with recorder.scan() as scan:
        return _Anchoring(scan, recorder, heads, report).check()


class _Anchoring:
    def __init__(
        self, scan: Scan, recorder: Recorder, heads: Sequence[KeptHead], report: Report
    ) -> None:
        self._scan = scan
        self._genesis = recorder.genesis
        self._report = report
        self._origin = origin_of(log_id_in(recorder.genesis.skeleton))
        self._heads = sorted(heads, key=lambda head: head.checkpoint.size)
        self._backdated: tuple[Row, int] | None = None
        self._leaves = b"".join(self._read())

    def check(self) -> Anchored:
        ours = [head for head in self._heads if self._is_ours(head)]
        tree = Tiles(_tiles_of(self._leaves))
        agreeing = [head for head in ours if self._agrees(tree, head)]
        for head in ours:
            if head not in agreeing:
                self._blame(head, ours, agreeing)
                break
        if self._backdated is not None:
            self._report_backdated(*self._backdated)
        size = max((head.checkpoint.size for head in agreeing), default=0)
        return Anchored(len(self._heads), size - 1, self._size - size)

    @property
    def _size(self) -> int:
        return len(self._leaves) // HASH_BYTES

    # --- the log as it is -----------------------------------------------------------------------

    def _read(self) -> Iterator[bytes]:
        """The leaf of each position, up to one that is missing."""
        yield merkle.leaf(self._genesis.digest)
        due = 1
        signed = [(h.checkpoint.size, h.time) for h in self._heads if h.time is not None]
        for row in _rows(self._scan):
            if row.position != due:
                return
            yield _leaf(row)
            due += 1
            time = max((time for size, time in signed if size <= row.position), default=None)
            if time is not None and self._backdated is None and _is_backdated(row, time):
                self._backdated = row, time

    def _report_backdated(self, row: Row, time: int) -> None:
        recorded = decode_skeleton(row.skeleton).recorded
        what = (
            f"position {row.position} says it was recorded at {recorded:.0f}, but a head of"
            f" {time} does not contain it: it was forged, or a clock was set back"
        )
        self._report(_about(row, what))

    # --- heads ----------------------------------------------------------------------------------

    def _is_ours(self, head: KeptHead) -> bool:
        origin = head.checkpoint.origin
        if origin != self._origin:
            what = f"the head belongs to the log {origin}, this one is {self._origin}"
            self._report(Fault(None, None, f"{what}: another log is in its place"))
        return origin == self._origin

    def _agrees(self, tree: Tiles, head: KeptHead) -> bool:
        size = head.checkpoint.size
        return size <= self._size and merkle.root(tree.node, size) == head.checkpoint.root

    def _blame(
        self, head: KeptHead, ours: Sequence[KeptHead], agreeing: Sequence[KeptHead]
    ) -> None:
        """Reports where the log first differs from the oldest head that it does not agree with."""
        for kept in ours:
            for read in (kept.tiles, self._own_tiles()):
                reference = _reference(read, kept.checkpoint) if read else None
                if reference is not None and kept.checkpoint.size >= head.checkpoint.size:
                    self._report_first(reference)
                    return
        self._report_range(head.checkpoint.size, agreeing)

    def _own_tiles(self) -> Read:
        view = StoredView(self._scan, TreeProjection.name)

        def read(level: int, index: int) -> bytes:
            try:
                return tile_in(view, level, index)
            except StorageError:
                return b""

        return read

    def _report_first(self, reference: bytes) -> None:
        """reference: the leaves under a head."""
        differing = list(_differing(self._leaves, reference))
        stored = [position for position in differing if position < self._size]
        signed = len(reference) // HASH_BYTES
        if stored:
            many = f" (and {amount(len(stored) - 1, 'row')} after it)" if len(stored) > 1 else ""
            what = f"position {stored[0]} is not the row that was signed{many}"
            self._report(self._about_position(stored[0], what))
        if signed > self._size:
            self._report_cut(signed)

    def _report_cut(self, signed: int) -> None:
        last = self._scan.last_position()
        if last >= self._size:
            self._report(Fault(None, None, f"position {self._size} has no row"))
            return
        what = f"the log ends at position {last}, but a head was signed at {signed - 1}"
        why = "its tail was cut, or an older copy was restored"
        self._report(Fault(None, None, f"{what}: {why}"))

    def _report_range(self, size: int, agreeing: Sequence[KeptHead]) -> None:
        """With heads alone: between the newest that agrees and the oldest that does not."""
        before = [h.checkpoint.size for h in agreeing if h.checkpoint.size < size]
        first = max(before, default=0)
        if size > self._size:
            self._report_cut(size)
            return
        what = (
            f"the log differs from its head of size {size}: the first different row is at one of"
            f" the positions {first} to {size - 1}"
        )
        tiles = "with the tiles next to the note, `verify` names it"
        self._report(self._about_range(first, size - 1, f"{what}; {tiles}"))

    def _about_range(self, first: int, last: int, what: str) -> Fault:
        names = {row.conversation for row in _rows(self._scan, first - 1, last) if _has_name(row)}
        return Fault(names.pop() if len(names) == 1 else None, None, what)

    def _about_position(self, position: int, what: str) -> Fault:
        rows = list(_rows(self._scan, position - 1, position)) if position else []
        return _about(rows[0], what) if rows else Fault(None, None, what)


def _about(row: Row, what: str) -> Fault:
    if not _has_name(row):
        return Fault(None, None, what)
    try:
        event = decode_skeleton(row.skeleton).first_event if is_commit(row.topic) else None
    except StorageError:
        event = None
    return Fault(row.conversation, event, what)


def _has_name(row: Row) -> bool:
    try:
        return has_types(row) and bool(row.conversation)
    except StorageError:
        return False


def _rows(scan: Scan, after: int = 0, upto: int | None = None) -> Iterator[Row]:
    """Rows with a position. Changed rows without one do not belong to the log."""
    last = scan.last_position() if upto is None else upto
    while after < last and (rows := scan.tail(after, min(BATCH_COMMITS, last - after))):
        for row in rows:
            if row.position > last:
                return
            yield row
        after = rows[-1].position


def _leaf(row: Row) -> bytes:
    try:
        return merkle.leaf(row.digest())
    except (TypeError, ValueError, OverflowError, AttributeError, StorageError):
        return _UNREADABLE


def _is_backdated(row: Row, time: int) -> bool:
    return is_backdated(row.topic, row.skeleton, time)


def _tiles_of(leaves: bytes) -> Read:
    empty: Callable[[int, int], bytes] = lambda level, index: b""  # noqa: E731
    tiles = {(level, index): tile for level, index, tile in grown(empty, 0, hashes_of(leaves))}
    return lambda level, index: tiles.get((level, index), b"")


def _reference(read: Read, head: LogCheckpoint) -> bytes | None:
    """The leaves under a head; None if these tiles do not match it."""
    leaves = b"".join(read(0, index) for index in range(-(-head.size // WIDTH)))
    leaves = leaves[: head.size * HASH_BYTES]
    if len(leaves) != head.size * HASH_BYTES:
        return None
    root = merkle.root(Tiles(_tiles_of(leaves)).node, head.size)
    return leaves if root == head.root else None


def _differing(leaves: bytes, others: bytes) -> Iterator[int]:
    """Positions of unequal leaves, up to the end of the shorter log."""
    for at in range(0, min(len(leaves), len(others)), HASH_BYTES):
        if leaves[at : at + HASH_BYTES] != others[at : at + HASH_BYTES]:
            yield at // HASH_BYTES

"""Signs heads of a log and publishes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import msgspec

from turnlog.errors import Corrupt, ProofError, Rewritten
from turnlog.projections.tree import Tree
from turnlog.proof import merkle
from turnlog.proof.checkpoint import LogCheckpoint, signed
from turnlog.proof.folder import ENTRIES, TileFolder, bundle, changed, locked
from turnlog.proof.keys import Signer
from turnlog.proof.note import Note
from turnlog.proof.tiles import WIDTH
from turnlog.proof.witness_client import cosigned
from turnlog.storage.recorder import Recorder
from turnlog.storage.subscription import batches

logger = logging.getLogger(__name__)


class Publisher(msgspec.Struct, frozen=True):
    """Signs heads of a log, and passes them to a folder and to witnesses.

    clock: UTC seconds. folder: where heads are published, with the tree's tiles. witnesses: URLs of
    those that cosign.
    """

    recorder: Recorder
    signers: Sequence[Signer]
    clock: Callable[[], float]
    folder: TileFolder | None = None
    witnesses: Sequence[str] = ()

    def publish(self) -> Note:
        """A head of the log's current end.

        Raises Rewritten, and publishes nothing, if the log does not continue what the folder or a
        witness has seen. An unreachable witness is logged, and asked again at the next head.
        """
        with nullcontext() if self.folder is None else locked(self.folder.folder):
            return self._publish()

    def _publish(self) -> Note:
        tree, before = Tree(self.recorder), self._newest()
        if before is not None:
            check_continues(tree, LogCheckpoint.parse(before.text))
        note = signed(tree.checkpoint(), self.signers, self.clock)
        if before is not None and before.text == note.text:
            note = before.with_signatures(note.signatures)
            if note == before and (not self.witnesses or len(note.signatures) > len(self.signers)):
                return note  # unchanged
        size = LogCheckpoint.parse(before.text).size if before else 0
        for url in self.witnesses:
            note = _cosigned(url, tree, note, size)
        if self.folder is not None:
            _put_tiles(self.recorder, tree, self.folder, size)
            self.folder.publish(note)
        if self.recorder.recent is not None:
            self.recorder.recent.forget(tree.size - 1)
        return note

    def _newest(self) -> Note | None:
        return None if self.folder is None else self.folder.newest()


def _cosigned(url: str, tree: Tree, note: Note, last: int) -> Note:
    """last: the size that the witness has probably seen."""
    try:
        return cosigned(url, note, lambda old: merkle.consistency(tree.node, old, tree.size), last)
    except ProofError as error:
        logger.error("the head is not cosigned: %s", error)
        return note


def check_continues(tree: Tree, before: LogCheckpoint) -> None:
    """Raises Rewritten if the log does not continue from an earlier head."""
    if before.origin != tree.origin:
        raise Rewritten(f"the head belongs to the log {before.origin}, not to {tree.origin}")
    if before.size > tree.size:
        last, now = before.size - 1, tree.size - 1
        raise Rewritten(f"the log ends at position {now}, but a head was signed at {last}", now)
    if tree.checkpoint(before.size) != before:
        what = f"up to position {before.size - 1} the log differs from its last signed head"
        raise Rewritten(f"{what}; `turnlog verify --head` says where")


def _put_tiles(recorder: Recorder, tree: Tree, folder: TileFolder, since: int) -> None:
    for level, index, width in changed(since, tree.size):
        first, hashes = index * WIDTH, tree.hashes(level, index)[:width]
        if level == 0:
            digests = folder.entries(index)[: max(0, since - first)]
            digests += _digests(recorder, first + len(digests), first + width)
            if hashes != [merkle.leaf(digest) for digest in digests]:
                what = "the log's tree does not match its rows"
                raise Corrupt(
                    f"{what}; `turnlog verify` says more, `turnlog rebuild` makes it again"
                )
            folder.put(ENTRIES, index, bundle(digests), width)
        folder.put(str(level), index, b"".join(hashes), width)


def _digests(recorder: Recorder, first: int, end: int) -> Iterator[bytes]:
    """Digests of the rows at positions from `first` up to, but without, `end`."""
    if first == 0:
        yield recorder.genesis.digest
        first = 1
    while recorder.recent and first < end and (known := recorder.recent.get(first)):
        yield known
        first += 1
    for rows in batches(recorder.reader, first - 1, end - 1, WIDTH):
        yield from (row.digest() for row in rows)

"""Signing what a log is, and publishing it where others keep it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from turnlog.errors import Corrupt, Rewritten
from turnlog.projections.tree import Tree
from turnlog.proof import merkle
from turnlog.proof.checkpoint import Checkpoint, SignedCheckpoint, signed
from turnlog.proof.folder import ENTRIES, TileFolder, bundle, changed
from turnlog.proof.keys import Signer
from turnlog.proof.tiles import WIDTH
from turnlog.storage.recorder import Recorder
from turnlog.storage.subscription import batches


def head(
    recorder: Recorder,
    signers: Sequence[Signer],
    clock: Callable[[], float],
    folder: TileFolder | None = None,
) -> SignedCheckpoint:
    """A signed checkpoint of the log as it is now. folder: where it and its tiles are published.

    Raises Rewritten, and signs nothing, where the log does not go on from what the folder has.
    """
    tree = Tree(recorder)
    checkpoint = tree.checkpoint()
    if folder is None:
        return signed(checkpoint, signers, clock)
    before = _published(folder)
    if before is not None:
        check_goes_on(tree, before)
    _put_tiles(recorder, tree, folder, before.size if before else 0)
    made = signed(checkpoint, signers, clock)
    folder.publish(made.note)
    return made


def _published(folder: TileFolder) -> Checkpoint | None:
    note = folder.newest()
    return None if note is None else Checkpoint.parse(note.text)


def check_goes_on(tree: Tree, before: Checkpoint) -> None:
    """Raise Rewritten where the log does not go on from what a head says that it was."""
    if before.origin != tree.origin:
        raise Rewritten(f"the head is of the log {before.origin}, not of {tree.origin}")
    if before.size > tree.size:
        last, now = before.size - 1, tree.size - 1
        raise Rewritten(f"the log ends at position {now}, and a head was signed of {last}", now)
    if tree.checkpoint(before.size) != before:
        what = f"up to position {before.size - 1} the log is not what its last head was signed of"
        raise Rewritten(f"{what}: `turnlog verify --head` says where")


def _put_tiles(recorder: Recorder, tree: Tree, folder: TileFolder, since: int) -> None:
    for level, index, width in changed(since, tree.size):
        first = index * WIDTH
        hashes = [tree.node(level * 8, first + at) for at in range(width)]
        if level == 0:
            digests = list(_digests(recorder, first, first + width))
            if hashes != [merkle.leaf(digest) for digest in digests]:
                what = "the log's tree is not that of its rows"
                raise Corrupt(
                    f"{what}: `turnlog verify` says more, `turnlog rebuild` makes it anew"
                )
            folder.put(ENTRIES, index, bundle(digests), width)
        folder.put(str(level), index, b"".join(hashes), width)


def _digests(recorder: Recorder, first: int, end: int) -> Iterator[bytes]:
    """Of the rows of positions from `first` up to, without, `end`."""
    if first == 0:
        yield recorder.genesis.digest
        first = 1
    for rows in batches(recorder.reader, first - 1, end - 1, WIDTH):
        yield from (row.digest() for row in rows)

"""A log's heads and tiles as published: in a folder, or under a URL that serves one."""

from __future__ import annotations

from pathlib import Path

from turnlog.errors import Corrupt, ProofError
from turnlog.proof import merkle
from turnlog.proof.checkpoint import LogCheckpoint
from turnlog.proof.folder import TileFolder
from turnlog.proof.merkle import HASH_BYTES
from turnlog.proof.note import Note
from turnlog.proof.tiles import HEIGHT, WIDTH, Tiles, path
from turnlog.proof.witness import CosigningRefused, Submission, Witness
from turnlog.proof.witness_client import fetched, is_url


class Published:
    """The newest head at a place, and the tiles up to its size.

    place: a folder or a URL. Raises ProofError if it has no checkpoint.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._folder = None if is_url(place) else TileFolder(Path(place))
        note = self._checkpoint()
        if note is None:
            raise ProofError(f"{place}: checkpoint does not exist")
        self.note = note
        self.head = LogCheckpoint.parse(note.text)
        self.tiles = Tiles(self._tile)

    def _checkpoint(self) -> Note | None:
        if self._folder is not None:
            return self._folder.newest()
        content = fetched(self._place, "checkpoint")
        return None if content is None else Note.parse(content)

    def _tile(self, level: int, index: int) -> bytes:
        """The tile, cut to the head's size."""
        width = min(WIDTH, (self.head.size >> level * HEIGHT) - index * WIDTH)
        if width <= 0:
            return b""
        if self._folder is not None:
            return self._folder.tile(level, index)[: width * HASH_BYTES]
        names = dict.fromkeys([path(str(level), index, width), path(str(level), index)])
        found = (fetched(self._place, f"tile/{name}") for name in names)
        return next((tile[: width * HASH_BYTES] for tile in found if tile is not None), b"")


def cosign(witness: Witness, published: Published) -> Note:
    """The head with a witness's cosignatures. Raises CosigningRefused."""
    size, old = published.head.size, witness.size(published.head.origin)
    if old > size:
        raise CosigningRefused(
            409, f"the last head has size {old}, this one {size}: the log was set back", old
        )
    try:
        path = merkle.consistency(published.tiles.node, old, size)
    except Corrupt as error:
        raise CosigningRefused(422, str(error)) from error
    asked = Submission(old, tuple(path), published.note)
    return published.note.with_signatures(witness.cosign(str(asked).encode()))

"""The tree in tiles of 256 hashes (c2sp.org/tlog-tiles).

A tile of level 0 contains the hashes of leaves, a tile above it the roots of full tiles of the
level below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from turnlog.errors import Corrupt
from turnlog.proof.merkle import HASH_BYTES, parents

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_BYTES

Read = Callable[[int, int], bytes]
"""The tile of a level and an index, as far as it is filled; b"" if it does not exist."""


class Tiles:
    """Reads a tree that does not change meanwhile."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._kept: dict[tuple[int, int], list[list[bytes]]] = {}

    def node(self, level: int, index: int) -> bytes:
        """The root over 2**level leaves. Raises Corrupt if its tile does not exist."""
        tile_level, height = divmod(level, HEIGHT)
        first = index << height
        tile, place = first >> HEIGHT, (first & WIDTH - 1) >> height
        levels = self._levels(tile_level, tile)
        if height >= len(levels) or place >= len(levels[height]):
            raise Corrupt(f"the tree lacks hashes of tile {tile} of level {tile_level}")
        return levels[height][place]

    def hashes(self, level: int, index: int) -> list[bytes]:
        """The hashes of a tile."""
        return self._levels(level, index)[0]

    def _levels(self, level: int, index: int) -> list[list[bytes]]:
        """The hashes of a tile, and all levels that follow from them within it."""
        if (kept := self._kept.get((level, index))) is None:
            kept = self._kept[level, index] = levels_of(self._read(level, index))
        return kept


def levels_of(tile: bytes) -> list[list[bytes]]:
    """A tile's hashes, then each level that follows from them, up to its root."""
    levels = [hashes_of(tile)]
    while len(levels[-1]) > 1:
        levels.append(parents(levels[-1]))
    return levels


def hashes_of(tile: bytes) -> list[bytes]:
    """The hashes in a tile's bytes."""
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def grown(read: Read, size: int, leaves: Sequence[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Level, index and content of the tiles that change when leaves follow the first `size`.

    Raises Corrupt if a tile to extend is incomplete.
    """
    level, added = 0, b"".join(leaves)
    while added:
        index, width = divmod(size, WIDTH)
        content = (read(level, index)[: width * HASH_BYTES] if width else b"") + added
        if len(content) < width * HASH_BYTES + len(added):
            raise Corrupt(f"the tree lacks hashes of tile {index} of level {level}")
        above = list[bytes]()
        for at in range(0, len(content), TILE_BYTES):
            tile = content[at : at + TILE_BYTES]
            yield level, index + at // TILE_BYTES, tile
            if len(tile) == TILE_BYTES:
                above.append(levels_of(tile)[HEIGHT][0])
        level, size, added = level + 1, size >> HEIGHT, b"".join(above)


def widths(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, index and number of hashes of the tiles that are not full, at the right edge."""
    level = 0
    while size:
        index, width = divmod(size, WIDTH)
        if width:
            yield level, index, width
        level, size = level + 1, index


def path(kind: str, index: int, width: int = WIDTH) -> str:
    """The path of a tile below `tile/`. kind: its level, or `entries`."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return "/".join([kind, *reversed(groups)]) + partial

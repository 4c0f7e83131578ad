"""The tree of RFC 6962: roots and proofs as in its definitions, at every small size."""

from __future__ import annotations

from hashlib import sha256

import pytest

from turnlog.proof import merkle
from turnlog.proof.tiles import TILE_BYTES, Tiles, grown, path

SIZE = 70


def leaves(size: int) -> list[bytes]:
    return [merkle.leaf(b"%d" % number) for number in range(size)]


def by_definition(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1."""
    if not hashes:
        return sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    left, right = by_definition(hashes[:half]), by_definition(hashes[half:])
    return sha256(b"\1" + left + right).digest()


def tree(size: int, batch: int = 1000) -> Tiles:
    stored: dict[tuple[int, int], bytes] = {}
    hashes = leaves(size)
    for at in range(0, size, batch):
        changed = list(grown(lambda *tile: stored[tile], at, hashes[at : at + batch]))
        stored.update({(level, index): tile for level, index, tile in changed})
    return Tiles(lambda *tile: stored.get(tile, b""))


def test_the_root_is_as_defined() -> None:
    node = tree(SIZE).node
    for size in range(SIZE + 1):
        assert merkle.root(node, size) == by_definition(leaves(size))


def test_a_path_leads_from_its_leaf_to_the_root_and_from_no_other() -> None:
    node, hashes = tree(SIZE).node, leaves(SIZE)
    for size in range(1, SIZE + 1):
        root = by_definition(hashes[:size])
        for index in range(size):
            path = merkle.inclusion(node, index, size)
            assert merkle.is_included(hashes[index], index, size, path, root)
            other = (index + 1) % SIZE
            assert not merkle.is_included(hashes[other], index, size, path, root)
            assert not merkle.is_included(hashes[index], other, size, path, root)
            assert not merkle.is_included(hashes[index], index, size, [*path, root], root)


def test_every_size_is_consistent_with_the_later_ones_and_with_nothing_else() -> None:
    node = tree(SIZE).node
    roots = [by_definition(leaves(size)) for size in range(SIZE + 1)]
    for new in range(SIZE + 1):
        for old in range(new + 1):
            path = merkle.consistency(node, old, new)
            assert merkle.is_consistent(old, new, roots[old], roots[new], path)
            if 0 < old < new:
                assert not merkle.is_consistent(old, new, roots[old - 1], roots[new], path)
                assert not merkle.is_consistent(old, new, roots[old], roots[new - 1], path)
                assert not merkle.is_consistent(old, new, roots[old], roots[new], path[:-1])


@pytest.mark.parametrize("batch", [1, 7, 256, 1000])
def test_tiles_contain_the_same_tree_however_they_grow(batch: int) -> None:
    size = 66_000 if batch == 1000 else 700
    grown_tree, hashes = tree(size, batch), leaves(size)
    assert merkle.root(grown_tree.node, size) == by_definition(hashes)
    assert grown_tree.node(8, 1) == by_definition(hashes[256:512])
    index = size - 300
    path = merkle.inclusion(grown_tree.node, index, size)
    assert merkle.is_included(hashes[index], index, size, path, by_definition(hashes))


def test_paths_of_tiles_are_as_specified() -> None:
    assert path("0", 1_234_067) == "0/x001/x234/067"
    assert path("1", 0, 17) == "1/000.p/17"
    assert path("entries", 273, 112) == "entries/273.p/112"
    assert TILE_BYTES == 8192

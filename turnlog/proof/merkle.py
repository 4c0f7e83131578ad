"""The Merkle tree of RFC 6962, with proofs that need only its root.

`node(level, index)` is the root over the 2**level leaves from leaf `index * 2**level` on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32

Node = Callable[[int, int], bytes]


def leaf(entry: bytes) -> bytes:
    """The hash of an entry."""
    return sha256(b"\0" + entry).digest()


def parent(left: bytes, right: bytes) -> bytes:
    """The hash above two hashes."""
    return sha256(b"\1" + left + right).digest()


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """The hashes of the level above. A last hash without a sibling has none."""
    pairs = zip(hashes[::2], hashes[1::2], strict=False)
    return [sha256(b"\1" + left + right).digest() for left, right in pairs]


# --- roots and paths -----------------------------------------------------------------------------


def root(node: Node, size: int) -> bytes:
    """The root over the first `size` leaves."""
    return _over(node, 0, size) if size else sha256().digest()


def inclusion(node: Node, index: int, size: int) -> list[bytes]:
    """The path from a leaf to the root over `size` leaves, its sibling first."""
    start, end, path = 0, size, list[bytes]()
    while end - start > 1:
        middle = start + _half(end - start)
        if index < middle:
            path.append(_over(node, middle, end))
            end = middle
        else:
            path.append(_over(node, start, middle))
            start = middle
    return path[::-1]


def consistency(node: Node, old: int, new: int) -> list[bytes]:
    """The path that proves that the tree of `new` leaves extends the tree of its first `old`."""
    start, end, path = 0, new, list[bytes]()
    while 0 < old < end:
        middle = start + _half(end - start)
        if old <= middle:
            path.append(_over(node, middle, end))
            end = middle
        else:
            path.append(_over(node, start, middle))
            start = middle
    if start:
        path.append(_over(node, start, end))
    return path[::-1]


def _half(count: int) -> int:
    """The largest power of two below it."""
    return 1 << (count - 1).bit_length() - 1


def _over(node: Node, start: int, end: int) -> bytes:
    """Over the leaves from `start`, a multiple of the largest power of two that fits, to `end`."""
    whole = list[bytes]()
    while start < end:
        level = (end - start).bit_length() - 1
        whole.append(node(level, start >> level))
        start += 1 << level
    made = whole.pop()
    while whole:
        made = parent(whole.pop(), made)
    return made


# --- what a verifier does: RFC 9162, 2.1.3.2 and 2.1.4.2 ------------------------------------------


def is_included(hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a path leads from a leaf's hash to the root over `size` leaves."""
    if not 0 <= index < size:
        return False
    at, last, made = index, size - 1, hash
    for sibling in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            made = parent(sibling, made)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            made = parent(made, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and made == root


def is_consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a path proves that the tree of `new` leaves extends the tree of `old`."""
    if old == new or old == 0:
        return not path and (old_root == new_root if old == new else old_root == sha256().digest())
    if not 0 < old < new or not path:
        return False
    hashes = [old_root, *path] if old & (old - 1) == 0 else [*path]
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_made = new_made = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_made, new_made = parent(sibling, old_made), parent(sibling, new_made)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_made = parent(new_made, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and (old_made, new_made) == (old_root, new_root)

"""The Merkle tree of RFC 6962, and what proves something to whoever has its root.

`node(level, index)` gives the root over the 2**level leaves from `index * 2**level` on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_BYTES = 32

Node = Callable[[int, int], bytes]


def leaf(entry: bytes) -> bytes:
    return sha256(b"\0" + entry).digest()


def parent(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """The level above, without one for a hash that has nobody beside it."""
    pairs = zip(hashes[::2], hashes[1::2], strict=False)
    return [sha256(b"\1" + left + right).digest() for left, right in pairs]


# --- what the tree gives ------------------------------------------------------------------------


def root(node: Node, size: int) -> bytes:
    """Over the first `size` leaves."""
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
    """What shows that the tree of `new` leaves goes on from that of the first `old`."""
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
    for beside in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            made = parent(beside, made)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            made = parent(made, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and made == root


def is_consistent(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a path shows that the tree of `new` leaves goes on from that of `old`."""
    if old == new or old == 0:
        return not path and (old_root == new_root if old == new else old_root == sha256().digest())
    if not 0 < old < new or not path:
        return False
    hashes = [old_root, *path] if old & (old - 1) == 0 else [*path]
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_made = new_made = hashes[0]
    for beside in hashes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_made, new_made = parent(beside, old_made), parent(beside, new_made)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_made = parent(new_made, beside)
        at, last = at >> 1, last >> 1
    return last == 0 and (old_made, new_made) == (old_root, new_root)

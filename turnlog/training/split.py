"""Split: a part for each key, by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate


def hashed(key: str, shares: Mapping[str, float]) -> str:
    """The part of a key: a share of all keys, within sampling error."""
    digest = hashlib.sha256(key.encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    parts = list(shares)
    passed = sum(place >= upto for upto in accumulate(shares.values()))
    return parts[min(passed, len(parts) - 1)]

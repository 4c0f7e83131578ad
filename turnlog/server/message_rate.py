"""Limits the rate of messages in a conversation."""

from __future__ import annotations

import time
from collections import OrderedDict

from turnlog.server.errors import RequestRefused

NAMES_KEPT = 10_000
"""Names whose buckets are kept; the one unused for longest is dropped first."""


class MessageRate:
    """A token bucket for each name: `burst` messages immediately, then `rate` a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str) -> None:
        """Raises RequestRefused (429) if the bucket is empty."""
        now = time.monotonic()
        left, since = self._buckets.pop(name, (float(self._burst), now))
        left = min(float(self._burst), left + (now - since) * self._rate)
        allowed = left >= 1
        self._buckets[name] = (left - 1 if allowed else left, now)
        if len(self._buckets) > NAMES_KEPT:
            self._buckets.popitem(last=False)
        if not allowed:
            raise RequestRefused(429, "TooFast", "too many messages; wait a moment")

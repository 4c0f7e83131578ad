"""Times, as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def when(timestamp: float) -> str:
    """A timestamp (UTC seconds) as people read it, with its zone; `--at` reads it too."""
    try:
        return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return str(timestamp)

"""Times in the form that people read."""

from __future__ import annotations

from datetime import UTC, datetime


def when(timestamp: float) -> str:
    """A timestamp (UTC seconds) for people, with its zone; `--at` reads it too."""
    try:
        return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return str(timestamp)

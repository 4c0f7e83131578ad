"""Optional packages, and the extras that install them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from turnlog.errors import MissingExtra


@contextmanager
def needed(extra: str, what: str) -> Iterator[None]:
    """Raises MissingExtra, which names the extra, if an import in the block fails."""
    try:
        yield
    except ImportError as error:
        raise MissingExtra(what, extra, error.name) from error

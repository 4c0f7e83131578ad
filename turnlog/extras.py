"""Packages that only some need, and which `pip install` brings them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from turnlog.errors import MissingExtra


@contextmanager
def needed(extra: str, what: str) -> Iterator[None]:
    """Raise MissingExtra, naming the extra, where an import in the block fails."""
    try:
        yield
    except ImportError as error:
        raise MissingExtra(what, extra, error.name) from error

"""`turnlog keys`: the key store of a sealed log."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import settings
from turnlog.domain.amounts import amount


class Doing(StrEnum):
    """What to do with the key store."""

    ROTATE = "rotate"


What = Annotated[Doing, typer.Argument(metavar="rotate", help="Wrap every key again.")]


def keys(what: What) -> None:
    """Wrap every key of the key store that --keys names again.

    rotate: a new data key wraps every key; the KMS, if there is one, wraps the data key. The rows
    of the log do not change, and open logs continue.
    """
    from turnlog.errors import StorageError
    from turnlog.keys.urls import key_store

    if (url := settings().keys) is None:
        raise StorageError("no key store; pass --keys URL or set TURNLOG_KEYS")
    store = key_store(url, create=False)
    try:
        count = store.rotate()
    finally:
        store.close()
    done = {"keys": store.url, "rotated": count}
    output.document(done, human=lambda: output.say(f"wrapped {amount(count, 'key')} again"))

"""`turnlog keys`: the key store of a sealed log."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from turnlog.cli import output
from turnlog.cli.settings import settings
from turnlog.domain.amounts import amount


class Doing(StrEnum):
    ROTATE = "rotate"


What = Annotated[Doing, typer.Argument(metavar="rotate", help="Wrap every key anew.")]


def keys(what: What) -> None:
    """Look after the key store that --keys names.

    rotate: every key is wrapped by a new data key, which the KMS wraps, if there is one. No row of
    a log is written, and logs that are open go on.
    """
    from turnlog.errors import StorageError
    from turnlog.keys.urls import key_store

    if (url := settings().keys) is None:
        raise StorageError("no key store is named: --keys URL, or TURNLOG_KEYS")
    store = key_store(url, create=False)
    try:
        count = store.rotate()
    finally:
        store.close()
    done = {"keys": store.url, "rotated": count}
    output.document(done, human=lambda: output.say(f"wrapped {amount(count, 'key')} anew"))

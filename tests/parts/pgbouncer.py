"""PgBouncer in front of a PostgreSQL server: the machine's own, or Debian's package unpacked."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.parts import INSTALLED, PartMissing, node
from tests.parts.postgres import answers
from tests.parts.server import HOST, Server, free_port

PACKAGE, LIBRARIES = "pgbouncer", ["libc-ares2", "libevent-2.1-7"]
MODES = ["session", "transaction"]

SETTINGS = """[databases]
* = host={host} port={behind} user=postgres
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 200
"""


@contextmanager
def running(server: Server, mode: str, *, size: int = 5) -> Iterator[Server]:
    """A pooler in front of a server. size: its number of connections to each database."""
    installed = _installed()
    port = free_port()
    address, _, database = server.url.rpartition("/")
    with tempfile.TemporaryDirectory(prefix="turnlog-pgbouncer-") as name:
        folder = Path(name)
        settings = SETTINGS.format(
            host=HOST, behind=address.rpartition(":")[2], port=port, mode=mode, size=size
        )
        (folder / "settings").write_text(settings)
        shutil.copytree(installed, folder / "installed")
        user = os.getuid()
        if user == 0:  # PgBouncer refuses to run as root
            user = pwd.getpwnam("nobody").pw_uid
            os.chown(folder, user, -1)
        url = f"postgresql://postgres@{HOST}:{port}/{database}"
        pooler = Server(
            [
                "/usr/bin/env",
                f"LD_LIBRARY_PATH={folder}/installed",
                f"{folder}/installed/{PACKAGE}",
                f"{folder}/settings",
            ],
            url=url,
            folder=folder,
            answers=lambda: answers(url),
            user=user,
        )
        try:
            yield pooler
        finally:
            pooler.kill()


def _installed() -> Path:
    """A folder with the program, and the libraries that the machine may lack."""
    folder = INSTALLED / PACKAGE
    INSTALLED.mkdir(exist_ok=True)
    with node.exclusive("pgbouncer.lock"):
        if not (folder / ".installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            if own := shutil.which(PACKAGE, path=f"{os.defpath}:/usr/sbin"):
                shutil.copy(own, folder)
            else:
                with tempfile.TemporaryDirectory(dir=folder) as unpacked:
                    _unpack(Path(unpacked))
                    for found in Path(unpacked).glob("usr/lib/*/lib*.so.*"):
                        shutil.copy(found, folder)
                    shutil.copy(Path(unpacked, "usr/sbin", PACKAGE), folder)
            (folder / ".installed").touch()
    return folder


def _unpack(folder: Path) -> None:
    """Works without root: apt's lists and packages are in the folder."""
    if shutil.which("apt-get") is None:
        raise PartMissing("no pgbouncer on this machine, and no apt-get")
    for part in ("state/lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    own = [f"-oDir::State={folder}/state", f"-oDir::Cache={folder}/cache"]
    _run(["apt-get", "-qq", *own, "update"], folder)
    _run(["apt-get", "-qq", *own, "download", PACKAGE], folder)
    for library in LIBRARIES:  # newer systems may name them differently
        subprocess.run(
            ["apt-get", "-qq", *own, "download", library],
            cwd=folder, capture_output=True, check=False,
        )  # fmt: skip
    for package in folder.glob("*.deb"):
        _run(["dpkg-deb", "-x", package.name, "."], folder)


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PartMissing(f"{command[0]}: {done.stderr}")

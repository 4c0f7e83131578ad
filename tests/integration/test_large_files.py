"""Given a file of 50 MB, when it goes in and out, then a process takes some MB for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SIZE = 50_000_000

IN_AND_OUT = """
import resource, sys, turnlog
from turnlog import MediaAdded, UserUttered
from turnlog.audit.verify import verify
from turnlog.storage.copying import backup
from pathlib import Path

path, url, copy = sys.argv[1:]
def used(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

with turnlog.open(url) as log:
    log.record("alice", UserUttered("a small one"), MediaAdded("video", content=bytes(200_000)))
    verify(log.store)
    backup(log.store, Path(copy + ".small"))
    before = used()
    with open(path, "rb") as file:
        made = log.attach("alice", file, type="video/mp4")
    log.record("alice", UserUttered("a film"), MediaAdded("video", content=made))
    held = log.read_events("alice")[3].content
    with open(path, "rb") as file, held.open() as found:
        while piece := file.read(65_536):
            assert found.read(65_536) == piece
        assert found.read() == b""
    assert verify(log.store).faults == []
    backup(log.store, Path(copy))
    print(used() - before)
"""


@pytest.mark.parametrize("back_end", ["sqlite", "postgres"])
def test_fifty_megabytes_go_in_and_out_in_some(
    back_end: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    is_sqlite = back_end == "sqlite"
    url = f"sqlite:///{tmp_path / 'l.db'}" if is_sqlite else request.getfixturevalue("postgres_url")
    film = tmp_path / "film"
    with film.open("wb") as file:
        for _ in range(SIZE // 1_000_000):
            file.write(os.urandom(1_000_000))
    done = subprocess.run(
        [sys.executable, "-c", IN_AND_OUT, str(film), url, str(tmp_path / "copy.db")],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20_000_000

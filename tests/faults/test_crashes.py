"""Killed processes, a full disk: nothing acknowledged is lost (2, 16)."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import turnlog
from tests.conftest import needing
from tests.faults.conftest import LONG, Start
from tests.parts import postgres as postgres_part
from tests.parts.server import Server
from tests.stored import rows_of
from turnlog import UserUttered
from turnlog.domain.fold import replay
from turnlog.domain.streams import is_conversation
from turnlog.engine.log import Turnlog
from turnlog.errors import Unavailable
from turnlog.storage.sqlite import SqliteRecorder

KILLS, LEAST = (40, 5000) if LONG else (4, 200)


def test_a_killed_process_loses_nothing_it_acknowledged(durable_url: str, start: Start) -> None:
    turnlog.open(durable_url).close()
    acknowledged: set[str] = set()
    for run in range(KILLS):
        process = start("crash", durable_url, run)
        assert process.stdout is not None
        acknowledged.add(process.stdout.readline().decode().strip())
        threading.Timer(random.uniform(0.05, 0.5), process.kill).start()
        output = process.stdout.read().decode().split("\n")
        acknowledged.update(output[:-1])  # the last line may be cut
        process.wait()
    assert len(acknowledged) >= LEAST
    assert acknowledged - stored_keys(durable_url) == set()
    check_whole(durable_url)


def test_on_a_full_disk_nothing_false_is_acknowledged_and_writing_resumes_when_there_is_room(
    tmp_path: Path,
) -> None:
    recorder = SqliteRecorder(str(tmp_path / "log.db"))
    with Turnlog(recorder) as log:
        pages = recorder._writer.execute("PRAGMA page_count").fetchone()[0]
        recorder._writer.execute(f"PRAGMA max_page_count = {pages + 20}")
        acknowledged = record_until_refused(log)
        assert 5 < len(acknowledged) < 5000
        assert acknowledged == stored_texts(log)
        recorder._writer.execute(f"PRAGMA max_page_count = {pages + 2000}")
        log.record("c", UserUttered("after"))
        assert stored_texts(log) == [*acknowledged, "after"]
    check_whole(recorder.url)


def test_a_file_at_its_size_limit_behaves_like_a_full_disk(sqlite_url: str) -> None:
    code = (
        "import sys; from tests.faults import test_crashes as t; t.fill_to_the_limit(sys.argv[1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, sqlite_url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    check_whole(sqlite_url)


def fill_to_the_limit(url: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with turnlog.open(url) as log:
        log.record("c", UserUttered("first"))
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
        acknowledged = ["first", *record_until_refused(log)]
        assert len(acknowledged) > 5
        assert stored_texts(log) == acknowledged
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        log.record("c", UserUttered("after"))
        assert stored_texts(log) == [*acknowledged, "after"]


def test_postgresqls_files_at_their_size_limit_behave_like_a_full_disk() -> None:
    """The limit is above the 16 MB of a WAL segment, below which PostgreSQL stops."""
    with needing("postgres"), postgres_part.running() as server, turnlog.open(server.url) as log:
        log.record("c", UserUttered("first"))
        limit_files(server, 20_000_000)
        acknowledged = [
            "first",
            *record_until_refused(log, random.Random(1).randbytes(200_000).hex()),
        ]
        assert 5 < len(acknowledged) < 5000
        assert stored_texts(log) == acknowledged
        limit_files(server, "unlimited")
        log.record("c", UserUttered("after"))
        assert stored_texts(log) == [*acknowledged, "after"]
        check_whole(server.url)


def limit_files(server: Server, size: int | str) -> None:
    """The size limit of the server's files from now on; the server does not notice otherwise.

    Set as its user, since root in a container often may not set it.
    """
    owner = Path(f"/proc/{server.pid}").stat()
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for pid in (server.pid, *children):
        command = ["prlimit", f"--pid={pid}", f"--fsize={size}:"]
        done = subprocess.run(command, user=owner.st_uid, group=owner.st_gid, check=False)
        # one that served a closed connection may have ended
        assert done.returncode == 0 or not Path(f"/proc/{pid}").exists()


def record_until_refused(log: Turnlog, long: str = "x" * 500) -> list[str]:
    acknowledged: list[str] = []
    for n in range(5000):
        try:
            log.record("c", UserUttered(text := f"{n} {long}"))
        except Unavailable:
            break
        acknowledged.append(text)
    return acknowledged


def stored_texts(log: Turnlog) -> list[str]:
    return [event.text for event in log.conversation("c").events()]  # type: ignore[attr-defined]


def stored_keys(url: str) -> set[str]:
    with turnlog.open(url) as log:
        return {key for row in log.store.reader.tail(0, 10**9) if (key := row.commit().key)}


def check_whole(url: str) -> None:
    """Positions and versions have no gaps, each row names the one before, heads follow."""
    with turnlog.open(url) as log:
        reader = log.store.reader
        rows = reader.tail(0, 10**9)
        assert [row.position for row in rows] == list(range(1, len(rows) + 1))
        for head in [*log.current.every(reader)]:
            mine = rows_of(reader, head.conversation)
            assert [row.version for row in mine] == list(range(1, len(mine) + 1))
            assert [row.previous for row in mine] == [
                log.store.genesis.digest,
                *(r.digest() for r in mine[:-1]),
            ]
            assert head.digest == mine[-1].digest()
            events = [event for row in mine for event in row.commit().events]
            if not is_conversation(head.conversation):
                continue
            assert log.conversation(head.conversation).state == replay(events)

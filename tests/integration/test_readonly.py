"""Reading changes no byte of a log and leaves no file, in any folder and next to any writer."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, MessageRedacted, SlotSet, UserUttered
from turnlog.errors import StorageError, Unavailable

READING = {
    "list": ["--search", "hello"],
    "list newest": ["--newest"],
    "log": ["alice"],
    "show": ["alice", "--at-turn", "1"],
    "states": [],
    "diff": ["alice"],
    "export": ["--format", "jsonl", "--out", "/dev/null", "--unrecorded"],
    "backup": ["/dev/null"],
    "stats": [],
    "why": ["alice", "people"],
    "verify": [],
    "audit": ["alice", "--out", "/dev/null"],
    "replay": ["--all", "--bot", "turnlog.bots.booking:bot"],
    "import": ["--dry-run", "../in.jsonl"],
}
"""Commands that only read; the first word is the command."""

WITHOUT_RIGHTS = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
"""Before a command: root then obeys permissions."""

KILLED = """
import os, sys, turnlog
log = turnlog.open(sys.argv[1])
log.record("alice", turnlog.UserUttered("the newest"))
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder, temporary = tmp_path / "log", tmp_path / "temporary"
    for each in (folder, temporary):
        each.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(folder)
    (tmp_path / "in.jsonl").write_text(
        '{"format":"turnlog/1","conversation":"b","events":[{"type":"UserUttered","text":"hi"}]}\n'
    )
    with turnlog.open("sqlite:///chat.db") as log:
        log.record("alice", UserUttered("hello"), SlotSet("people", 4), BotUttered("fine"))
        log.record("alice", UserUttered("secret"))
        log.record("alice", MessageRedacted(4))
        log.record("bob", UserUttered("hello"))
    yield folder
    folder.chmod(0o755)
    assert list(temporary.iterdir()) == [], "a private copy was left"


def killed(folder: Path) -> None:
    """The log that a process leaves if it is killed after recording."""
    subprocess.run([sys.executable, "-c", KILLED, f"sqlite:///{folder / 'chat.db'}"], check=False)
    assert (folder / "chat.db-wal").stat().st_size > 0


def hashes(folder: Path) -> dict[str, str]:
    """The bytes of every file; of the -shm, which processes share as memory, only its existence."""
    return {
        path.name: "there" if path.suffix == ".db-shm" else sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
    }


def obeying(folder: Path) -> list[str]:
    """Remove write permission from folder and files; returns the prefix that makes root obey it."""
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("part not had: setpriv, without which root may write everywhere")
    return WITHOUT_RIGHTS


def command(name: str) -> list[str]:
    return [name.split()[0], *READING[name], "--db", "sqlite:///chat.db"]


def in_separate_process(before: list[str], name: str) -> subprocess.CompletedProcess[str]:
    whole = [*before, sys.executable, "-m", "turnlog", *command(name)]
    return subprocess.run(whole, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("state", ["closed", "killed", "killed, without its -shm"])
@pytest.mark.parametrize("name", READING)
def test_a_reading_command_changes_nothing(folder: Path, name: str, state: str):
    if state != "closed":
        killed(folder)
    if state.endswith("-shm"):
        (folder / "chat.db-shm").unlink()
    before = hashes(folder)
    ran = run(*command(name))
    assert ran.status == 0 or (ran.status == 1 and name in ("diff", "replay")), ran.err
    assert hashes(folder) == before
    if state != "closed" and name == "log":
        assert "the newest" in ran.out


def test_restoring_a_backup_does_not_change_it(folder: Path):
    killed(folder)
    before = hashes(folder)
    assert run("restore", "chat.db", "--db", "sqlite:///../other.db").status == 0
    assert hashes(folder) == before


@pytest.mark.parametrize("state", ["closed", "killed", "killed, without its -shm"])
def test_a_folder_without_write_permission_can_be_read(folder: Path, state: str):
    if state != "closed":
        killed(folder)
    if state.endswith("-shm"):
        (folder / "chat.db-shm").unlink()
    before, obedient = hashes(folder), obeying(folder)
    for name in ("log", "verify", "list"):
        ran = in_separate_process(obedient, name)
        assert ran.returncode == 0, ran.stderr
        if name == "log":
            assert ("the newest" in ran.stdout) == (state != "closed")
    assert hashes(folder) == before


@pytest.mark.parametrize("state", ["closed", "killed", "killed, without its -shm"])
def test_read_only_media_can_be_read(folder: Path, state: str):
    if state != "closed":
        killed(folder)
    if state.endswith("-shm"):
        (folder / "chat.db-shm").unlink()
    mounted = f'mount --bind -o ro {folder} {folder} && cd {folder} && exec "$@"'
    alone = ["unshare", "--mount", "sh", "-c", mounted, "sh"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("part not had: the right to mount a folder read-only")
    assert subprocess.run([*alone, "touch", "x"], capture_output=True, check=False).returncode
    before = hashes(folder)
    for name in ("log", "verify"):
        ran = in_separate_process(alone, name)
        assert ran.returncode == 0, ran.stderr
        if name == "log":
            assert ("the newest" in ran.stdout) == (state != "closed")
    assert hashes(folder) == before


def test_the_end_is_verified_where_writing_is_not_permitted(folder: Path):
    assert run("backup", "backup.db", "--db", "sqlite:///chat.db").status == 0
    (folder / "chat.db-highwater").rename(folder / "away")
    before = hashes(folder)

    def verified(obedient: list[str], database: str) -> tuple[int, bool]:
        whole = [*obedient, sys.executable, "-m", "turnlog", "verify", "--db", database]
        ran = subprocess.run(whole, capture_output=True, text=True, timeout=60, check=False)
        return ran.returncode, "the end of the log cannot be verified" in ran.stdout

    for obedient in ([], obeying(folder)):
        assert verified(obedient, "sqlite:///chat.db") == (1, True)
        assert verified(obedient, "sqlite:///backup.db") == (0, False)
    assert hashes(folder) == before


def test_a_log_opened_read_only_refuses_writes(folder: Path):
    before = hashes(folder)
    with turnlog.open("sqlite:///chat.db", readonly=True) as log:
        with pytest.raises(StorageError, match="opened read-only"):
            log.record("alice", UserUttered("no"))
        with pytest.raises(StorageError, match="opened read-only"):
            log.delete("alice")
    assert hashes(folder) == before


WRITING = """
import sys, turnlog
with turnlog.open(sys.argv[1]) as log:
    for text in sys.stdin:
        log.record("alice", turnlog.UserUttered(text.strip()))
        print("recorded", flush=True)
"""


class Writing:
    """Another process that records the texts it receives."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WRITING, f"sqlite:///{folder / 'chat.db'}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def record(self, text: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(text, file=self._process.stdin, flush=True)
        assert self._process.stdout.readline() == "recorded\n"

    def end(self) -> None:
        self._process.communicate(timeout=30)
        assert self._process.returncode == 0


def newest(log: turnlog.Turnlog) -> str:
    return getattr(log.read_events("alice")[-1], "text", "")


@pytest.mark.parametrize("first", ["the writer", "the reader"])
def test_commits_of_another_process_are_seen(folder: Path, first: str):
    before = Writing(folder) if first == "the writer" else None
    if before:
        before.record("before")
    with turnlog.open("sqlite:///chat.db", readonly=True) as log:
        assert newest(log) == ("before" if before else "")
        writing = before or Writing(folder)
        for text in ("one", "two", "three"):
            writing.record(text)
            assert newest(log) == text
        with log.store.scan() as scan:
            position = scan.last_position()
            writing.record("four")
            assert scan.last_position() == position
        assert newest(log) == "four"
    writing.record("after")
    writing.end()
    assert not {"chat.db-wal", "chat.db-shm"} & hashes(folder).keys()


def test_concurrent_readers_leave_no_file(folder: Path):
    before = hashes(folder)
    first = turnlog.open("sqlite:///chat.db", readonly=True)
    with turnlog.open("sqlite:///chat.db", readonly=True) as second:
        assert newest(first) == newest(second)
        first.close()
        assert run("log", "alice", "--db", "sqlite:///chat.db").status == 0
        assert list(second.ids()) == ["alice", "bob"]
    assert hashes(folder) == before


def test_a_reader_leaves_its_private_copy_once_the_log_is_written(folder: Path):
    killed(folder)
    (folder / "chat.db-shm").unlink()
    with turnlog.open("sqlite:///chat.db", readonly=True) as log:
        assert newest(log) == "the newest"
        scan = log.store.scan()
        reading = scan.__enter__()
        assert reading.last_position() == 5
        writing = Writing(folder)
        writing.record("newer")
        with pytest.raises(Unavailable, match="changed while it was read"):
            scan.__exit__(None, None, None)
        assert newest(log) == "newer"
        writing.end()
        assert newest(log) == "newer"


FOLLOWING = """
import sys, turnlog
with turnlog.open("sqlite:///chat.db", readonly=True) as log:
    for line in sys.stdin:
        print(getattr(log.read_events("alice")[-1], "text", ""), flush=True)
"""


def test_a_reader_without_write_permission_sees_new_commits(folder: Path):
    obedient = obeying(folder)
    if not obedient:
        pytest.skip("part not had: root, who writes where others may not")
    reader = subprocess.Popen(
        [*obedient, sys.executable, "-c", FOLLOWING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdin is not None
    assert reader.stdout is not None

    def seen() -> str:
        print(file=reader.stdin, flush=True)
        return (reader.stdout and reader.stdout.readline().strip()) or ""

    assert seen() == ""
    for _ in range(2):  # the writer's last close takes the -wal away
        writing = Writing(folder)
        for text in ("one", "two"):
            writing.record(text)
            assert seen() == text
        writing.end()
        assert seen() == "two"
    reader.communicate(timeout=30)
    assert reader.returncode == 0


class _Refusing:
    """A cursor whose statement SQLite refuses because it would have to write."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: object) -> None:
        self._connection.execute("CREATE TABLE x (y)")

    def close(self) -> None:
        pass


def test_a_read_refused_by_sqlite_during_an_opening_is_repeated(folder: Path):
    with turnlog.open("sqlite:///chat.db", readonly=True) as log:
        reader: Any = log.store.reader
        reader._cursor = _Refusing(reader.connection)
        assert reader.last_position() == 4


FORKING = """
import os, sys, threading
import turnlog
log = turnlog.open(sys.argv[1], readonly=True)
assert log.conversation("alice").turn
[copy] = os.listdir(os.environ["TMPDIR"])
if (child := os.fork()) == 0:
    sys.exit(7)  # as a program ends, and not as os._exit does
assert os.waitpid(child, 0)[1] == 7 << 8
assert os.listdir(os.environ["TMPDIR"]) == [copy]
read = []
thread = threading.Thread(target=lambda: read.append(log.read_events("alice")))
thread.start()
thread.join()
assert read[0]
log.close()
assert os.listdir(os.environ["TMPDIR"]) == []
"""


def test_a_child_that_ends_leaves_the_private_copy_to_its_parent(tmp_path: Path):
    path, copy, temporary = (tmp_path / name for name in ("log.db", "copy.db", "temporary"))
    temporary.mkdir()
    with turnlog.open(f"sqlite:///{path}") as log:
        log.record("alice", UserUttered("hello"))
        for suffix in ("", "-wal"):  # without its -shm, SQLite cannot read it in place
            shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    environment = {**os.environ, "TMPDIR": str(temporary)}
    asked = [sys.executable, "-c", FORKING, f"sqlite:///{copy}"]
    done = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

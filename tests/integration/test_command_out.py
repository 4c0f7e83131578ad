"""Output of commands: whole files, and devices, pipes and links."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run

LINE = b'{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}]}\n'

WRITERS: dict[str, tuple[list[str], bytes]] = {
    "export": (["export", "--format", "trl", "--out"], b'{"messages":[{"role":"user"'),
    "parquet": (["export", "--format", "parquet", "--out"], b"PAR1"),
    "audit": (["audit", "alice", "--out"], b"<!doctype html>"),
    "backup": (["backup"], b"SQLite format 3\0"),
    "junit": (["replay", "--all", "--bot", "bot:bot", "--junit"], b"<?xml"),
    "html": (["replay", "--all", "--bot", "bot:bot", "--html"], b"<!doctype html>"),
}
"""Commands that write a file, and its beginning."""

each = pytest.mark.parametrize(("arguments", "begins"), WRITERS.values(), ids=WRITERS)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TURNLOG_DB", "sqlite:///log.db")
    (tmp_path / "bot.py").write_text(
        "async def bot(conversation, message):\n    return ['hello']\n"
    )
    with turnlog.open("sqlite:///log.db") as log:
        log.record("alice", turnlog.UserUttered("hi"), turnlog.BotUttered("hello"))
    return tmp_path


def typed(*arguments: str, redirected: str = "") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "turnlog", *arguments]
    if redirected:
        command = ["bash", "-c", f'"$@" {redirected}', "bash", *command]
    return subprocess.run(command, capture_output=True, timeout=60, check=False)


@each
@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/proc/self/fd/1"])
def test_standard_output_gets_the_file_and_nothing_else(
    arguments: list[str], begins: bytes, name: str, folder: Path
) -> None:
    link = Path("/dev/stdout").is_symlink()
    for json in ([], ["--json"]):
        ran = typed(*arguments, name, *json)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.startswith(begins)
        assert ran.stderr or json
    assert Path("/dev/stdout").is_symlink() is link
    assert {path.name for path in folder.iterdir()} <= MINE


LOG = {"log.db", "log.db-wal", "log.db-shm", "log.db-highwater"}
MINE = LOG | {"bot.py", "__pycache__", "pipe", "link", "real"}


@each
def test_a_named_pipe_is_written_through_and_stays_one(
    arguments: list[str], begins: bytes, folder: Path
) -> None:
    os.mkfifo("pipe")
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(Path("pipe").read_bytes()))
    reader.start()
    ran = run(*arguments, "pipe")
    reader.join(30)
    assert ran.status == 0, ran.err
    assert got[0].startswith(begins)
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)
    assert {path.name for path in folder.iterdir()} <= MINE


@each
def test_a_device_is_written_through_and_stays_one(arguments: list[str], begins: bytes) -> None:
    before = os.stat(os.devnull)
    assert run(*arguments, os.devnull).status == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert os.stat(os.devnull).st_ino == before.st_ino
    assert not Path(f"{os.devnull}.manifest.json").exists()


def test_a_link_leads_to_its_target(folder: Path) -> None:
    (folder / "real").write_text("before")
    (folder / "link").symlink_to("real")
    assert typed("export", "--format", "trl", "--out", "link").returncode == 0
    assert (folder / "link").is_symlink()
    assert (folder / "real").read_bytes() == LINE


@pytest.mark.parametrize("redirected", ["> real", "3> real"])
def test_what_the_shell_has_opened_is_written_through(redirected: str, folder: Path) -> None:
    name = "/dev/fd/3" if redirected.startswith("3") else "/dev/stdout"
    ran = typed("export", "--format", "trl", "--out", name, redirected=redirected)
    assert ran.returncode == 0, ran.stderr
    assert (folder / "real").read_bytes() == LINE


def test_nothing_reaches_a_stream_where_nothing_is_written(folder: Path) -> None:
    with turnlog.open("sqlite:///log.db") as log:
        log.record("bad", turnlog.UserUttered("hello"), turnlog.BotUttered(" "))
    ran = typed("export", "--format", "openai", "--out", "-")
    assert (ran.returncode, ran.stdout) == (2, b"")


def test_parts_need_a_folder() -> None:
    ran = typed("export", "--format", "trl", "--split", "a=1", "--out", "-")
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"a folder" in ran.stderr


def test_a_reader_that_goes_away_is_not_an_error(folder: Path) -> None:
    with turnlog.open("sqlite:///log.db") as log:
        log.record("long", *(turnlog.UserUttered("x" * 1000) for _ in range(500)))
    command = [sys.executable, "-m", "turnlog", "export", "--format", "jsonl", "--out", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0

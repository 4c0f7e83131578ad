"""The files of a log, changed by others: nothing is acknowledged that is not stored."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import turnlog
from turnlog import UserUttered
from turnlog.errors import Unavailable

HANDS: dict[str, Callable[[Path], object]] = {
    "removed": Path.unlink,
    "moved": lambda path: path.rename(path.with_name("elsewhere.db")),
    "its folder moved": lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
    "replaced": lambda path: os.replace(path.with_name("copy.db"), path),
    "its -wal removed": lambda path: path.with_name("chat.db-wal").unlink(),
    "its -wal replaced": lambda path: os.replace(
        shutil.copy(path.with_name("chat.db-wal"), path.with_name("other")),
        path.with_name("chat.db-wal"),
    ),
}


@pytest.mark.parametrize("hand", HANDS)
def test_nothing_is_acknowledged_once_a_file_was_moved_or_replaced(tmp_path: Path, hand: str):
    path = tmp_path / "folder" / "chat.db"
    path.parent.mkdir()
    with turnlog.open(f"sqlite:///{path}") as log:
        log.record("alice", UserUttered("hello"))
        shutil.copy(path, path.with_name("copy.db"))
        HANDS[hand](path)
        for _ in range(3):
            with pytest.raises(Unavailable, match="while the log was open"):
                log.record("alice", UserUttered("into nowhere"))
        failures: list[Exception] = []

        def read() -> None:
            try:
                log.read_events("alice")
            except Unavailable as error:
                failures.append(error)

        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
        assert len(failures) == 1, "a thread that comes later read another file"


def test_a_file_that_disappears_during_a_commit_is_noticed_before_the_answer(tmp_path: Path):
    path = tmp_path / "chat.db"

    def removing(state: object, history: object) -> list[UserUttered]:
        path.unlink()
        return [UserUttered("into nowhere")]

    with turnlog.open(f"sqlite:///{path}") as log:
        log.record("alice", UserUttered("hello"))
        with pytest.raises(Unavailable, match="moved or removed"):
            log.perform("alice", removing)


def test_a_file_that_comes_back_is_written_again(tmp_path: Path):
    path = tmp_path / "chat.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        log.record("alice", UserUttered("hello"))
        path.rename(tmp_path / "away.db")
        with pytest.raises(Unavailable):
            log.record("alice", UserUttered("into nowhere"))
        (tmp_path / "away.db").rename(path)
        log.record("alice", UserUttered("back"))
        assert [event.text for event in log.read_events("alice")] == ["hello", "back"]


def test_a_log_continues_when_the_working_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    with turnlog.open("sqlite:///chat.db") as log:
        log.record("alice", UserUttered("hello"))
        (tmp_path / "below").mkdir()
        monkeypatch.chdir(tmp_path / "below")
        log.record("alice", UserUttered("again"))
        thread_read: list[int] = []
        thread = threading.Thread(target=lambda: thread_read.append(len(log.read_events("alice"))))
        thread.start()
        thread.join()
        assert thread_read == [2]

"""A sealed log whose process is killed between a key and its row; two processes make one key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import turnlog
from tests.parts import ROOT
from turnlog import UserIdentified, UserUttered
from turnlog.audit.verify import verify
from turnlog.domain.subjects import PERSON, Subject
from turnlog.keys.urls import key_store

LONG = os.environ.get("TURNLOG_FAULTS") == "long"


def started(point: int, folder: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.faults.sealing", str(point)]
    urls = [f"sqlite:///{folder}/chat.db", f"sqlite:///{folder}/keys.db"]
    return subprocess.Popen(
        [*command, *urls, name], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def check(folder: Path, acknowledged: list[str]) -> None:
    """All acknowledged rows exist and open, and recording continues."""
    url, keys = f"sqlite:///{folder}/chat.db", f"sqlite:///{folder}/keys.db"
    with turnlog.open(url, keys=keys) as log:
        for number, key in enumerate(acknowledged):
            found = log.keyed(f"chat {number % 4}", key)
            assert found is not None, key
            assert UserUttered(key) in [_untimed(event) for event in found.events]
        log.record("chat 0", UserIdentified("person 0"), UserUttered("and on"))
        assert verify(log.store).faults == []


def _untimed(event: turnlog.Event) -> turnlog.Event | None:
    return UserUttered(event.text) if isinstance(event, UserUttered) else None


def test_a_process_killed_before_any_statement_loses_nothing_acknowledged(tmp_path: Path) -> None:
    whole = started(0, tmp_path, "counted")
    points = int(whole.communicate()[1].split()[-1])
    assert points > 100
    chosen = range(1, points, 1 if LONG else points // 14)
    for point in chosen:
        folder = tmp_path / str(point)
        folder.mkdir()
        out, err = started(point, folder, "said").communicate()
        assert "Error" not in err, err
        if (folder / "chat.db").exists():
            check(folder, out.splitlines())
    print(f"{len(chosen)} of {points} points")


def test_two_processes_make_the_first_key_of_a_person_together(tmp_path: Path) -> None:
    for turn in range(20 if LONG else 3):
        folder = tmp_path / str(turn)
        folder.mkdir()
        both = [started(0, folder, name) for name in ("one", "two")]
        said = [process.communicate() for process in both]
        assert all(process.returncode == 0 for process in both), said
        check(folder, said[0][0].splitlines())
        check(folder, said[1][0].splitlines())


def test_a_first_key_that_two_stores_make_is_one(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.db"
    one, other = (key_store(url, create=True) for _ in range(2))
    ann = [Subject(PERSON, "ann")]
    assert one.subjects_in("chat") == other.subjects_in("chat") == []  # both have looked
    one.made({"chat": ann})
    other.made({"chat": ann})
    assert one.known("chat", ann) == other.known("chat", ann)
    assert len(key_store(url, create=False).subjects_in("chat")) == 1
    for store in (one, other):
        store.close()


def test_a_key_is_durable_before_the_row_that_needs_it(tmp_path: Path) -> None:
    """If the store's commit is undone, no row needs its key: the order of the statements."""
    url, keys = f"sqlite:///{tmp_path}/chat.db", f"sqlite:///{tmp_path}/keys.db"
    with turnlog.open(url, keys=keys) as log:
        log.record("chat", UserUttered("hi"))
        seen: list[str] = []
        store = log.keys
        assert store is not None
        for held in (store._tables, log.store.beneath):
            connection: Any = vars(held).get("_writer") or vars(held)["_connection"]
            connection.set_trace_callback(seen.append)
        log.record("chat", UserIdentified("ann"), UserUttered("I am Ann"))
    made = next(n for n, said in enumerate(seen) if "INSERT INTO keystore_subjects" in said)
    durable = next(n for n, said in enumerate(seen) if n > made and said == "COMMIT")
    row = next(n for n, said in enumerate(seen) if said.lstrip().startswith("INSERT INTO rows"))
    assert made < durable < row

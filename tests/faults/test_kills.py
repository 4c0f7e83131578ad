"""kill -9 at fixed points of every writer: acknowledged data stays, and writing resumes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import turnlog
from tests.command_line import run
from tests.faults import killing
from tests.faults.conftest import LONG
from tests.parts import postgres as postgres_part
from tests.parts.server import Server
from turnlog import MediaAdded, SlotSet, UserUttered
from turnlog.audit.fault import Fault
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.encoding.apart import BARE
from turnlog.errors import NoSuchLog
from turnlog.projections import PROJECTIONS, live_head
from turnlog.projections.projection import catch_up
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import Checkpoint, Entry, Head, Key, Snapshot
from turnlog.storage.urls import recorder

KILLS = 20 if LONG else 2
NAMES = ("anna", "ben", "carl")
DERIVED = (Key, Head, Snapshot, Checkpoint, Entry)
UNVERIFIED_END = "the end of the log cannot be verified"


class Case(NamedTuple):
    """A command that is run and killed, on a log that has rows and a tail unless it `begins` one.

    arguments: after the URL, from the folder that `given` has put files into. holds: whether it is
    done, once it was acknowledged. refusal: its message where the killed one had done it.
    """

    task: str
    arguments: Callable[[Path], list[Path | str]] = lambda _: []
    given: Callable[[Path], None] = lambda _: None
    holds: Callable[[Recorder, Path], bool] = lambda _, __: True
    refusal: str = ""
    begins: bool = False


def fill(url: str, turns: int = 8) -> None:
    """The last rows are those of a process that was killed: no table has them."""
    for stays_behind in (False, True):
        log = turnlog.open(url)
        for turn in range(turns):
            for name in NAMES:
                said = UserUttered(f"{name} says {turn}")
                log.record(name, said, SlotSet("n", turn), key=f"{stays_behind}{turn}")
        if stays_behind:
            log.writer._wrote = False  # so that closing does not update the tables
        else:
            catch_up(log.store, PROJECTIONS.values())
        log.close()


def export(folder: Path) -> None:
    """Six conversations to be imported."""
    url = f"sqlite:///{folder / 'source.db'}"
    with turnlog.open(url) as log:
        for n in range(6):
            for turn in range(12):
                log.record(f"import{n}", UserUttered(f"{turn}"), SlotSet("n", turn))
    out = folder / "conversations.jsonl"
    assert run("export", "--db", url, "--format", "jsonl", "--out", out).status == 0


def make_backup(folder: Path) -> None:
    url = f"sqlite:///{folder / 'source.db'}"
    fill(url)
    assert run("backup", "--db", url, folder / "source.backup").status == 0


def keys_of(store: Recorder) -> list[str]:
    commits = (row.commit(BARE) for row in store.reader.tail(0, 10**6))
    return [commit.key for commit in commits if commit.key is not None]


def has_all_keys(store: Recorder, folder: Path) -> bool:
    keys = keys_of(store)
    return all(keys.count(f"key {n}") == 1 for n in range(killing.KEYS))


def has_all_films(store: Recorder, folder: Path) -> bool:
    log = turnlog.Turnlog(store)
    every = [event for id in log.ids() for event in log.read_events(id)]
    found = [bytes(event.content or b"") for event in every if isinstance(event, MediaAdded)]
    return sorted(found) == [killing.film(n) for n in range(killing.FILMS + 1)]


def has_imported(store: Recorder, folder: Path) -> bool:
    with turnlog.open(f"sqlite:///{folder / 'source.db'}") as source:
        log = turnlog.Turnlog(store)
        return all(log.read_events(name) == source.read_events(name) for name in source.ids())


def has_backup(store: Recorder, folder: Path) -> bool:
    return same_rows(store, folder / "copy.backup")


def is_restored(store: Recorder, folder: Path) -> bool:
    return same_rows(store, folder / "source.backup")


def same_rows(store: Recorder, backup: Path) -> bool:
    copy = recorder(f"sqlite:///{backup}", readonly=True)
    try:
        is_whole = not faults(copy)
        return is_whole and rows_of(copy) == rows_of(store)
    finally:
        copy.close()


def is_deleted(store: Recorder, folder: Path) -> bool:
    """In derived tables, too."""
    words = str(derived(store))
    return "anna" not in turnlog.Turnlog(store) and "anna says" not in words


CASES = {
    "append": Case("append", holds=has_all_keys),
    "attach": Case("attach", holds=has_all_films),
    "catch-up": Case("catch-up"),
    "import": Case("import", lambda folder: [folder / "conversations.jsonl"], export, has_imported),
    "backup": Case(
        "backup",
        lambda folder: [folder / "copy.backup"],
        holds=has_backup,
        refusal="file exists already",
    ),
    "restore": Case(
        "restore",
        lambda folder: [folder / "source.backup"],
        make_backup,
        is_restored,
        refusal="commits already",
        begins=True,
    ),
    "rebuild": Case("rebuild"),
    "delete": Case("delete", lambda _: ["anna"], holds=is_deleted, refusal="does not exist"),
}
ON_POSTGRESQL = tuple(CASES) if LONG else ("append", "attach", "import", "delete")


def rows_of(store: Recorder) -> list[bytes]:
    return [row.digest() for row in store.reader.tail(0, 10**6)]


def derived(store: Recorder) -> list[Any]:
    with store.scan() as scan:
        return [list(scan.every(kind)) for kind in DERIVED]


def faults(store: Recorder, *, begins: bool = False) -> list[Fault]:
    """begins: a log that was being made may report that its end is unverified."""
    found = verify(store).faults
    return [fault for fault in found if not (begins and fault.what.startswith(UNVERIFIED_END))]


def check_derived(url: str) -> None:
    """Once up to date, the derived tables equal those of a rebuild."""
    with turnlog.open(url) as log:
        log.current.catch_up()
        catch_up(log.store, PROJECTIONS.values())
        before = derived(log.store)
        rebuild(log.store)
        assert derived(log.store) == before
        assert set(log.store.reader.attachment_names()) == named(log.store)


def named(store: Recorder) -> set[bytes]:
    """The attachments that rows name: nothing else is left."""
    rows = store.reader.tail(0, 10**6)
    return {bytes.fromhex(held.name) for row in rows for held in row.attachments()}


class Killed:
    """One case on a separate log."""

    def __init__(self, case: Case, url: str, folder: Path) -> None:
        self._case, self._url, self._folder = case, url, folder
        folder.mkdir(exist_ok=True)
        case.given(folder)
        if not case.begins:
            fill(url)
        self._before = [] if case.begins else self._rows()

    def _rows(self) -> list[bytes]:
        with turnlog.open(self._url, readonly=True) as log:
            return rows_of(log.store)

    def run(self, point: int) -> subprocess.CompletedProcess[str]:
        arguments = [point, self._case.task, self._url, *self._case.arguments(self._folder)]
        return subprocess.run(
            [sys.executable, "-m", "tests.faults.killing", *map(str, arguments)],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def points(self) -> int:
        """The number of points when nothing kills it."""
        done = self.run(0)
        assert done.returncode == 0, done.stderr
        assert self._holds()
        return int(done.stderr.splitlines()[-1].removeprefix("points "))

    def _holds(self) -> bool:
        with turnlog.open(self._url) as log:
            return self._case.holds(log.store, self._folder)

    def check(self, acknowledged: list[str]) -> None:
        """After the kill nothing is missing, and nothing is wrong with the log."""
        try:
            store = recorder(self._url, readonly=True)
        except NoSuchLog:
            assert self._case.begins
            assert not acknowledged
            return
        try:
            assert rows_of(store)[: len(self._before)] == self._before
            assert faults(store, begins=self._case.begins) == []
            if self._case.task in killing.TASKS:
                assert set(acknowledged) <= set(keys_of(store))
        finally:
            store.close()
        assert self._case.task in killing.TASKS or not acknowledged or self._holds()

    def check_again(self) -> None:
        """Run the same again and check the result."""
        again = self.run(0)
        assert again.returncode == 0 or (self._case.refusal and self._case.refusal in again.stderr)
        assert self._holds(), again.stderr
        with turnlog.open(self._url) as log:
            assert faults(log.store) == []
            assert rows_of(log.store)[: len(self._before)] == self._before
        check_derived(self._url)


def kill_each(case: Case, urls: Iterator[str], folder: Path) -> None:
    points = Killed(case, next(urls), folder / "counted").points()
    for number in range(1, KILLS + 1):
        point = number * points // (KILLS + 1)
        killed = Killed(case, next(urls), folder / str(number))
        done = killed.run(point)
        assert done.returncode == -9, (point, done.stderr)
        killed.check(done.stdout.splitlines())
        killed.check_again()
    print(f"\n{case.task}: {KILLS} kills at {points} points, nothing lost")


@pytest.fixture(autouse=True)
def _snapshots_as_in_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_head, "SNAPSHOT_EVERY", killing.SNAPSHOT_EVERY)


@pytest.mark.parametrize("name", CASES)
def test_a_task_killed_on_sqlite_loses_nothing_and_can_be_run_again(
    name: str, tmp_path: Path
) -> None:
    urls = (f"sqlite:///{tmp_path / f'log{n}.db'}" for n in range(KILLS + 1))
    kill_each(CASES[name], urls, tmp_path)


@pytest.mark.parametrize("name", ON_POSTGRESQL)
def test_a_client_that_is_killed_on_postgresql_loses_nothing(
    name: str, postgres: Server, tmp_path: Path
) -> None:
    urls = (postgres_part.fresh_database(postgres.url) for _ in range(KILLS + 1))
    kill_each(CASES[name], urls, tmp_path)

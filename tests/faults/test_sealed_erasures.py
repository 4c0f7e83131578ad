"""kill -9 in the middle of an erasure of a sealed log: the erasure is complete in the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import turnlog
from tests.faults import killing
from tests.faults.conftest import LONG
from tests.faults.test_erasures import ERASE, kinds
from tests.integration.test_erasure import fill, state_of
from tests.parts import ROOT
from turnlog.audit.verify import verify
from turnlog.storage.copying import backup

TRIED = 10
"""How many points the short form tries."""


def erase(folder: Path, point: int) -> subprocess.CompletedProcess[str]:
    """Erase Anna in a process that ends before that statement; 0 for never."""
    task, *options = ERASE
    program = [sys.executable, "-m", killing.__name__, str(point), task]
    keys = {"TURNLOG_KEYS": f"sqlite:///{folder}/keys.db"}
    return subprocess.run(
        [*program, f"sqlite:///{folder}/chat.db", *options],
        cwd=ROOT, env=os.environ | keys, capture_output=True, text=True, check=False,
    )  # fmt: skip


def made(folder: Path) -> bytes:
    """Ben's state, which must not change."""
    folder.mkdir()
    url, keys = f"sqlite:///{folder}/chat.db", f"sqlite:///{folder}/keys.db"
    with turnlog.open(url, keys=keys) as log:
        fill(log)
        backup(log.store.beneath, folder / "before.db")
        return state_of(log, "ben")


def check_finished(folder: Path, ben: bytes) -> bool:
    """Whether the erasure was recorded. If it was, it is complete, in the backup too."""
    url, keys = f"sqlite:///{folder}/chat.db", f"sqlite:///{folder}/keys.db"
    with turnlog.open(url, keys=keys) as log:
        assert verify(log.store).faults == []
        assert state_of(log, "ben") == ben
        assert log.keys is not None
        recorded = "ErasureRecorded" in kinds(log)
        assert bool(log.keys.subjects_of("anna")) != recorded
        left = ["ben", "group"] if recorded else ["+4915", "ben", "group", "web-7"]
        assert sorted(log.ids()) == left
        assert log.conversation("group").slots["b"] == "ben's"
    with turnlog.open(f"sqlite:///{folder}/before.db", keys=keys, readonly=True) as copy:
        said = [str(row.commit().events) for row in copy.store.reader.tail(0, 99)]
        assert any("canary" in each for each in said) != recorded
        assert any("ben 2" in each for each in said)
    return recorded


def test_an_erasure_killed_at_any_statement_destroys_its_keys_in_the_end(tmp_path: Path) -> None:
    made(tmp_path / "whole")
    last = int(erase(tmp_path / "whole", 0).stderr.splitlines()[-1].removeprefix("points "))
    assert check_finished(tmp_path / "whole", _ben(tmp_path / "whole"))
    outcomes = set()
    for point in range(1, last + 1, 1 if LONG else max(1, last // TRIED)):
        folder = tmp_path / str(point)
        ben = made(folder)
        killed = erase(folder, point).returncode == -9
        assert killed or point > last - last // TRIED  # there are more points where it has to wait
        outcomes.add(check_finished(folder, ben))
    assert outcomes == {True, False}


def _ben(folder: Path) -> bytes:
    url, keys = f"sqlite:///{folder}/chat.db", f"sqlite:///{folder}/keys.db"
    with turnlog.open(url, keys=keys) as log:
        return state_of(log, "ben")

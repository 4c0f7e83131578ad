"""A process that forks while it records: no child hangs, and the parent loses nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import turnlog
from tests.faults.forking import CHILDREN
from turnlog.audit.verify import verify

HOW = ["thread", "async", "multiprocessing"]


def fork(url: str, how: str) -> None:
    program = [sys.executable, "-W", "ignore", "-m", "tests.faults.forking", url, how]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    lines = done.stdout.splitlines()
    fine = sorted(f"child {number} fine" for number in range(CHILDREN))
    assert sorted(line for line in lines if line.startswith("child")) == fine, done.stderr
    assert "statuses" + " 0" * CHILDREN in lines, done.stderr
    (parent,) = (line.split()[1:] for line in lines if line.startswith("parent"))
    assert parent[0] == parent[1]
    with turnlog.open(url) as log:
        assert len(log.read_events("parent")) == int(parent[0])
        assert {f"child{number}" for number in range(CHILDREN)} < set(log.ids())
        assert not verify(log.store).faults


@pytest.mark.parametrize("how", HOW)
def test_children_of_a_process_that_records_are_refused_and_open_again(
    tmp_path: Path, how: str
) -> None:
    fork(f"sqlite:///{tmp_path / 'chat.db'}", how)


@pytest.mark.parametrize("how", HOW)
def test_children_on_postgresql_are_refused_and_open_again(postgres_url: str, how: str) -> None:
    fork(postgres_url, how)

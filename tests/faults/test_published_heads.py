"""Heads while servers die and many write: each continues the last, and none is a false alarm."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest

import turnlog
from tests.faults.conftest import LONG, Start
from tests.parts import ROOT
from turnlog import SlotSet, Turnlog, UserUttered
from turnlog.audit.anchoring import check, head_in
from turnlog.audit.fault import Fault
from turnlog.audit.publishing import Publisher
from turnlog.audit.verify import verify
from turnlog.projections.tree import Tree
from turnlog.proof import merkle
from turnlog.proof.checkpoint import LogCheckpoint
from turnlog.proof.folder import TileFolder
from turnlog.proof.keys import COSIGNATURE, PLAIN, Signer

KEYS = [Signer.of("log", PLAIN, bytes([1] * 32)), Signer.of("w", COSIGNATURE, bytes([2] * 32))]
KILLS = 100 if LONG else 4
WRITERS = 4
STEPS = 40
"""For each writer in the short form; the long one lasts 60 s."""


def heads_in(folder: TileFolder) -> list[LogCheckpoint]:
    """Every head that was published, the smallest first."""
    return sorted((LogCheckpoint.parse(n.text) for n in folder.every()), key=lambda head: head.size)


def check_published(log: Turnlog, folder: TileFolder) -> int:
    """Checks that each head is the log's and that the next one continues it; returns their
    number.
    """
    tree, heads = Tree(log.store), heads_in(folder)
    for head in heads:
        assert tree.checkpoint(head.size) == head
    for old, new in pairwise(heads):
        path = merkle.consistency(tree.node, old.size, new.size)
        assert merkle.is_consistent(old.size, new.size, old.root, new.root, path)
    return len(heads)


def test_each_head_continues_the_last_over_kills_of_a_server(
    durable_url: str, tmp_path: Path, start: Start
) -> None:
    """The server records and publishes, and is killed at some point."""
    folder, chance = TileFolder(tmp_path / "heads"), random.Random(1)
    published = 0
    for kill in range(KILLS):
        worker = start("publish", durable_url, folder.folder, kill)
        assert worker.stdout is not None
        assert worker.stderr is not None
        for _ in range(chance.randrange(1, 8)):
            if not worker.stdout.readline().startswith(b"published"):
                pytest.fail(worker.stderr.read().decode())
        time.sleep(chance.random() / 50)
        worker.kill()
        worker.wait()
        with turnlog.open(durable_url) as log:
            published = check_published(log, folder)
    assert published > KILLS
    with turnlog.open(durable_url) as log:
        assert verify(log.store).faults == []
        Publisher(log.store, KEYS, log.clock, folder).publish()
        assert heads_in(folder)[-1].size == log.store.reader.last_position() + 1
        assert false_alarms(log, folder) == []
    if LONG:
        print(f"\n{KILLS} kills, {published} heads, each continues the one before")


def false_alarms(log: Turnlog, folder: TileFolder) -> list[Fault]:
    found: list[Fault] = []
    verifiers = [key.verifier for key in KEYS]
    heads = [head_in(f, f.read_bytes(), verifiers) for f in folder.files()[-20:]]
    check(log.store, heads, found.append)
    return found


def test_publishing_killed_at_any_point_leaves_a_head_to_continue_from(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path}/chat.db", TileFolder(tmp_path / "heads")
    asked: list[object] = ["head", url, "--tiles", folder.folder]
    for key in KEYS:
        (tmp_path / key.verifier.name).write_text(str(key))
        asked += ["--key", tmp_path / key.verifier.name]
    record(url, 250)
    points = int(killing(0, *asked).stderr.split()[-1])
    assert points > 20
    for point in range(1, points, 1 if LONG else 5):
        record(url, 3)
        killed = killing(point, *asked)
        assert killed.returncode in (-9, 0), killed.stderr
        with turnlog.open(url) as log:
            check_published(log, folder)
    assert killing(0, *asked).returncode == 0
    with turnlog.open(url) as log:
        assert heads_in(folder)[-1].size == log.store.reader.last_position() + 1
        assert false_alarms(log, folder) == verify(log.store).faults == []


def record(url: str, count: int) -> None:
    with turnlog.open(url) as log:
        for n in range(count):
            log.record("alice", UserUttered(f"text {n}"))


def killing(point: int, *asked: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults.killing", str(point), *map(str, asked)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def test_no_head_is_a_false_alarm_while_others_write(durable_url: str, tmp_path: Path) -> None:
    folder, looks = TileFolder(tmp_path / "heads"), 0
    with turnlog.open(durable_url) as log:
        Publisher(log.store, KEYS, log.clock, folder).publish()
        until = time.monotonic() + 60
        writers = [threading.Thread(target=write, args=(durable_url, n, until)) for n in range(4)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            Publisher(log.store, KEYS, log.clock, folder).publish()
            looks += look(log, durable_url, folder)
        for writer in writers:
            writer.join()
        Publisher(log.store, KEYS, log.clock, folder).publish()
        looks += look(log, durable_url, folder)
        assert verify(log.store).faults == []
        heads = check_published(log, folder)
        rows = log.store.reader.last_position()
    if LONG:
        print(f"\n{WRITERS} writers, {rows} rows, {heads} heads, {looks} looks, 0 false alarms")


def write(url: str, number: int, until: float) -> None:
    """On a separate connection."""
    with turnlog.open(url) as log:
        step = 0
        while time.monotonic() < until if LONG else step < STEPS:
            log.record(f"c{number}", UserUttered(f"text {step}"), SlotSet("n", step))
            step += 1


def look(log: Turnlog, url: str, folder: TileFolder) -> int:
    """Verify, open and read the log against its newest heads."""
    assert false_alarms(log, folder) == []
    keys = [str(key.verifier) for key in KEYS]
    with turnlog.open(url, readonly=True, witness=folder.folder, verifiers=keys) as witnessed:
        for name in list(witnessed.ids()):
            assert list(witnessed.conversation(name).events())
    return 1

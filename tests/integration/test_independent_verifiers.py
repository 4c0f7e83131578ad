"""What a log publishes, checked by programs that share no code with it: aics-tlog and one file."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

import turnlog
from tests.parts import ROOT
from turnlog import BotUttered, HistoryContinued, SlotSet, Turnlog, UserUttered
from turnlog.audit.proving import ProvableTurn
from turnlog.audit.publishing import Publisher
from turnlog.encoding.dropping import dropped
from turnlog.projections.tree import Tree
from turnlog.proof import merkle
from turnlog.proof.checkpoint import LogCheckpoint
from turnlog.proof.folder import TileFolder
from turnlog.proof.keys import COSIGNATURE, PLAIN, Signer
from turnlog.proof.note import Note

LOG, WITNESS = (Signer.of(n, k, bytes([k] * 32)) for n, k in (("l", PLAIN), ("w", COSIGNATURE)))
ONE_FILE = ROOT / "examples" / "check_log.py"


def published(log: Turnlog, folder: Path) -> Note:
    return Publisher(log.store, [LOG, WITNESS], log.clock, TileFolder(folder)).publish()


def recorded(log: Turnlog, turns: int, name: str = "alice") -> None:
    for turn in range(turns):
        log.record(name, UserUttered(f"says {turn}"), SlotSet("n", turn), BotUttered("ok"))


# --- aics-tlog ----------------------------------------------------------------------------------


def test_tiles_checkpoints_and_a_thousand_proofs_are_accepted(
    aics_python: Path, tmp_path: Path
) -> None:
    (tmp_path / "keys").write_text(f"{LOG.verifier}\n{WITNESS.verifier}\n")
    (tmp_path / "proofs").mkdir()
    with turnlog.open("memory:") as log:
        for turns in (1, 255, 256, 1, 487):
            recorded(log, turns)
            note = published(log, tmp_path)
        tree = Tree(log.store)
        for turn in range(1, 1001):
            proof = ProvableTurn(log, "alice", turn).proof(tree, note)
            (tmp_path / "proofs" / f"{turn}.tlog-proof").write_text(str(proof))
        sizes = sorted(LogCheckpoint.parse(n.text).size for n in TileFolder(tmp_path).every())
        pairs = [
            (old, new, list(map(encoded, merkle.consistency(tree.node, old, new))))
            for old, new in combinations(sizes, 2)
        ]
    (tmp_path / "consistency.json").write_text(json.dumps(pairs))
    checks = ROOT / "tests" / "integration" / "aics_checks.py"
    ran = subprocess.run(
        [aics_python, checks, tmp_path], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"checkpoints": 5, "inclusions": 1000, "consistencies": 10}


def encoded(hash: bytes) -> str:
    return b64encode(hash).decode()


# --- one file -----------------------------------------------------------------------------------


def test_the_checker_is_one_short_file_without_turnlog() -> None:
    lines = ONE_FILE.read_text().splitlines()
    assert len(lines) <= 300
    assert not [line for line in lines if "import" in line and "turnlog" in line]


def check(*arguments: object) -> tuple[int, str]:
    """Its output in a process that cannot import turnlog."""
    command = [sys.executable, "-I", ONE_FILE, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ran.stderr == ""
    return ran.returncode, ran.stdout


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Turnlog]:
    """Conversations that were forked, continued from an earlier turn, or began again."""
    (tmp_path / "key").write_text(f"{LOG.verifier}\n")
    with turnlog.open(f"sqlite:///{tmp_path}/chat.db?synchronous=OFF") as log:
        recorded(log, 300)
        recorded(log, 2, "bob")
        log.delete("bob")
        recorded(log, 2, "bob")
        log.fork("alice", as_="carol", event=5)
        recorded(log, 2, "carol")
        log.record("alice", HistoryContinued(3))
        recorded(log, 1)
        (tmp_path / "note").write_text(str(published(log, tmp_path / "heads")))
        yield log


def write_proof(log: Turnlog, folder: Path, id: str, turn: int) -> None:
    proven = ProvableTurn(log, id, turn)
    note = Note.parse((folder / "note").read_bytes())
    (folder / "p").write_text(str(proven.proof(Tree(log.store), note)))
    (folder / "p.json").write_bytes(proven.sidecar(Tree(log.store).origin).encoded())


@pytest.mark.parametrize(
    ("id", "turn", "says"),
    [("alice", 1, "says 0"), ("alice", 301, "says 0"), ("bob", 2, "says 1"), ("carol", 2, "says 1"),
     ("carol", 3, "says 0")],
)  # fmt: skip
def test_the_checker_checks_a_proof(
    log: Turnlog, tmp_path: Path, id: str, turn: int, says: str
) -> None:
    write_proof(log, tmp_path, id, turn)
    status, out = check("proof", tmp_path / "p", tmp_path / "key")
    assert (status, says in out, f"turn {turn} of {id}," in out) == (0, True, True)
    sidecar = (tmp_path / "p.json").read_text()
    (tmp_path / "p.json").write_text(sidecar.replace(f'"turn": {turn}', f'"turn": {turn + 1}'))
    assert check("proof", tmp_path / "p", tmp_path / "key")[0] == 1
    (tmp_path / "p.json").write_text(sidecar.replace('"bytes": "m', '"bytes": "n'))
    assert check("proof", tmp_path / "p", tmp_path / "key")[0] == 1
    proof = (tmp_path / "p").read_text()
    (tmp_path / "p.json").write_text(sidecar)
    (tmp_path / "p").write_text(proof.replace("index ", "index 1"))
    assert check("proof", tmp_path / "p", tmp_path / "key")[0] == 1


def test_the_checker_checks_a_whole_log(log: Turnlog, tmp_path: Path) -> None:
    recorded(log, 3)
    status, out = check("log", tmp_path / "chat.db", tmp_path / "note", tmp_path / "key")
    size = log.store.reader.last_position() - 2
    assert (status, out) == (0, f"{size} rows as signed, 3 behind them\n")
    [row] = log.store.reader.tail(6, 1)
    kept = dropped(row.commitments, row.parts, lambda place: place == 0)
    update(tmp_path, "commitments = ?, parts = ? WHERE position = 7", *kept)
    assert check("log", tmp_path / "chat.db", tmp_path / "note", tmp_path / "key")[0] == 0
    update(tmp_path, "parts = ? WHERE position = 7", kept[1].replace(b"ok", b"no"))
    status, out = check("log", tmp_path / "chat.db", tmp_path / "note", tmp_path / "key")
    assert (status, out) == (1, "wrong: a part was changed\n")


@pytest.mark.parametrize(
    "change",
    [
        "parts = CAST(replace(parts, 'says 7', 'said 7') AS BLOB) WHERE position = 8",
        "version = 999 WHERE position = 9",
        "position = 9999 WHERE position = 9",
        "version = 998, stream = (SELECT max(stream) FROM streams) WHERE position = 1",
    ],
)
def test_the_checker_finds_a_change(log: Turnlog, tmp_path: Path, change: str) -> None:
    update(tmp_path, change)
    status, out = check("log", tmp_path / "chat.db", tmp_path / "note", tmp_path / "key")
    assert status == 1
    assert out.startswith("wrong: ")


def update(folder: Path, change: str, *given: object) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(folder / "chat.db", timeout=30)) as sql, sql:
        assert sql.execute(f"UPDATE rows_t1 SET {change}", given).rowcount == 1


def test_the_checker_checks_a_sealed_log_without_its_keys(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{LOG.verifier}\n")
    keys = f"sqlite:///{tmp_path}/keys.db"
    with turnlog.open(f"sqlite:///{tmp_path}/chat.db", keys=keys) as log:
        recorded(log, 3)
        (tmp_path / "note").write_text(str(published(log, tmp_path / "heads")))
        write_proof(log, tmp_path, "alice", 2)
    assert check("log", tmp_path / "chat.db", tmp_path / "note", tmp_path / "key")[0] == 0
    status, out = check("proof", tmp_path / "p", tmp_path / "key")
    assert (status, "says 1" in out) == (0, True)


def test_the_checker_prints_its_usage(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, ONE_FILE], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "check_log.py proof" in ran.stderr

"""The power goes out between any two syncs: acknowledged ⊆ recovered, without holes (19)."""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import turnlog
from tests.faults.conftest import LONG
from tests.faults.test_crashes import check_whole
from turnlog.storage import sqlite
from turnlog.storage.high_water import HighWaterFile

POINTS = 250 if LONG else 30
SECTOR = 512

RECORD = """
import sys
import turnlog
from turnlog import SlotSet, UserUttered
from turnlog.storage import sqlite
from turnlog.storage.high_water import HighWaterFile
sqlite.CHECKPOINT_PAGES = 30  # so that cuts fall into checkpoints, too
folder, synchronous, commits = sys.argv[1], sys.argv[2], int(sys.argv[3])
acks = open(f"{folder}/keys.acks", "wb", buffering=0)
with turnlog.open(f"sqlite:///{folder}/log.db?synchronous={synchronous}") as log:
    for n in range(commits):
        log.record(f"c{n % 5}", UserUttered("x" * (n * 37 % 900)), SlotSet("n", n), key=f"k{n}")
        acks.write(f"k{n}\\n".encode())
"""


class Step(NamedTuple):
    kind: str
    name: str
    offset: int
    data: bytes


class Disk:
    """Files as they surely survive a power cut, and what was written since to each."""

    def __init__(self, start: dict[str, bytes]) -> None:
        self.kept = {name: bytearray(data) for name, data in start.items()}
        self.pending: dict[str, list[Step]] = {}

    def take(self, step: Step) -> None:
        if step.kind == "S":
            self.keep(self.pending.pop(step.name, []), self.kept)
        else:
            self.pending.setdefault(step.name, []).append(step)

    @staticmethod
    def keep(steps: list[Step], files: dict[str, bytearray]) -> None:
        for step in steps:
            file = files.setdefault(step.name, bytearray())
            if step.kind == "U":
                del files[step.name]
            elif step.kind == "T":
                del file[step.offset :]
                file.extend(bytes(step.offset - len(file)))
            else:
                file.extend(bytes(max(0, step.offset - len(file))))
                file[step.offset : step.offset + len(step.data)] = step.data

    def after_the_cut(self, chance: random.Random) -> dict[str, bytearray]:
        """The synced bytes, and of the rest nothing, all, or some sectors."""
        files = {name: bytearray(data) for name, data in self.kept.items()}
        share = chance.choice((0.0, 1.0, chance.random()))
        for steps in self.pending.values():
            reached = [part for step in steps for part in sectors(step) if chance.random() < share]
            self.keep(reached, files)
        return files


def sectors(step: Step) -> Iterator[Step]:
    if step.kind != "W":
        yield step
    for at in range(0, len(step.data), SECTOR):
        yield step._replace(offset=step.offset + at, data=step.data[at : at + SECTOR])


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("shim") / "recording.so"
    source = Path(__file__).with_name("recording.c")
    for compiler in (["gcc"], ["cc"], [sys.executable, "-m", "ziglang", "cc"]):
        if shutil.which(compiler[0]):
            command = [*compiler, "-shared", "-fPIC", "-O1", "-o", str(built), str(source), "-ldl"]
            if subprocess.run(command, capture_output=True, check=False).returncode == 0:
                return built
    pytest.skip("no C compiler (gcc, cc or PyPI's ziglang) builds the recording shim")


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the shim is for Linux")


def test_acknowledged_events_survive_a_power_cut_at_any_sync(tmp_path: Path, shim: Path) -> None:
    lost, marked, cuts = lost_by_cuts(tmp_path, shim, "FULL")
    print(f"{cuts} power cuts")
    assert cuts >= POINTS
    assert lost == []
    assert marked == 0, "the high-water file was ahead of what is stored"


def test_the_same_cuts_lose_what_synchronous_normal_acknowledged(
    tmp_path: Path, shim: Path
) -> None:
    """Else the test above would prove nothing; and NORMAL is documented to risk it."""
    lost, marked, _ = lost_by_cuts(tmp_path, shim, "NORMAL")
    assert lost
    assert marked


def lost_by_cuts(tmp_path: Path, shim: Path, synchronous: str) -> tuple[list[str], int, int]:
    """The acknowledged keys that some cut lost, how often the log reports it, how many cuts."""
    folder = tmp_path / "recorded"
    folder.mkdir()
    turnlog.open(f"sqlite:///{folder}/log.db").close()
    disk = Disk({str(path): path.read_bytes() for path in folder.iterdir()})
    chance = random.Random(19)
    acknowledged: list[str] = []
    lost: list[str] = []
    cuts = marked = 0
    for n, step in enumerate(recorded(folder, shim, synchronous)):
        if step.kind == "A":
            acknowledged += step.data.decode().split()
            continue
        if step.kind in "ST" or chance.random() < 0.1:  # the cut comes just before this step
            cuts += 1
            gone, is_marked = lost_after(
                tmp_path / f"cut{n}", disk.after_the_cut(chance), acknowledged
            )
            lost += gone
            marked += is_marked
        disk.take(step)
    return lost, marked, cuts


def recorded(folder: Path, shim: Path, synchronous: str) -> list[Step]:
    """What recording does to the files of a folder, in order."""
    record_to = folder.with_suffix(".steps")
    environment = os.environ | {
        "LD_PRELOAD": str(shim), "RECORD_PREFIX": f"{folder}/", "RECORD_TO": str(record_to),
    }  # fmt: skip
    command = [sys.executable, "-c", RECORD, str(folder), synchronous, str(POINTS)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(parsed(record_to.read_bytes()))


def parsed(output: bytes) -> Iterator[Step]:
    at = 0
    while at < len(output):
        kind, size, offset, length = struct.unpack_from("<cHQI", output, at)
        name, data = at + 15, at + 15 + size
        at = data + length
        yield Step(kind.decode(), output[name:data].decode(), offset, output[data:at])


def lost_after(
    folder: Path, files: dict[str, bytearray], acknowledged: list[str]
) -> tuple[list[str], bool]:
    """The acknowledged keys that are missing once the log is opened again, which is whole.

    And whether its high-water file reports them.
    """
    folder.mkdir()
    for name, data in files.items():
        if not name.endswith(".acks"):
            (folder / Path(name).name).write_bytes(data)
    recorder = sqlite.SqliteRecorder(f"{folder}/log.db")
    recovered = [row.commit().key for row in recorder.reader.tail(0, 10**6)]
    recorder.close()
    mark = HighWaterFile(f"{folder}/log.db").read()
    assert recovered == [f"k{n}" for n in range(len(recovered))]
    check_whole(f"sqlite:///{folder}/log.db")
    shutil.rmtree(folder)
    return acknowledged[len(recovered) :], mark is not None and mark.position > len(recovered)

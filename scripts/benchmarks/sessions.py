"""Saves and gets of sessions, against the stores that bots use for them, on the same disk.

A turn is ten saves: nine scalars and a capped list of a hundred message ids. turnlog commits them
together; the others, whose interface has no turns, write each save.
"""

from __future__ import annotations

import copy
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import lmdb
import msgspec
import valkey
from pywce import DefaultSessionManager

from scripts.benchmarks.figures import Figure, at_least, at_most, interleaved, seconds
from tests.parts import valkey as valkey_part
from turnlog.sessions.manager import SessionManager

SAVES = 10
USERS = 20
USER = "263770000001"
HISTORY = [f"wamid.HBgMMjYzNzcwMDAwMDAx{n:08}" for n in range(100)]


class Sessions(Protocol):
    def save(self, session_id: str, key: str, data: Any) -> None: ...

    def get(self, session_id: str, key: str) -> Any: ...


class Plain:
    """A dictionary behind a lock, like pywce's own; `copies` returns values that may be changed."""

    def __init__(self, *, copies: bool = False) -> None:
        self._sessions: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._copies = copies

    def save(self, session_id: str, key: str, data: Any) -> None:
        with self._lock:
            self._sessions.setdefault(session_id, {})[key] = data

    def get(self, session_id: str, key: str) -> Any:
        with self._lock:
            data = self._sessions.get(session_id, {}).get(key)
            return copy.deepcopy(data) if self._copies else data


class File(Plain):
    """A JSON file a user, rewritten, synced and renamed at every save."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir()

    def save(self, session_id: str, key: str, data: Any) -> None:
        super().save(session_id, key, data)
        unfinished = self._folder / f"{session_id}.new"
        with unfinished.open("w") as file:
            json.dump(self._sessions[session_id], file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self._folder / f"{session_id}.json")


class Lmdb:
    """A synced transaction a save."""

    def __init__(self, folder: Path) -> None:
        self._database = lmdb.open(str(folder), map_size=2**28)

    def save(self, session_id: str, key: str, data: Any) -> None:
        with self._database.begin(write=True) as transaction:
            transaction.put(f"{session_id}/{key}".encode(), msgspec.msgpack.encode(data))

    def get(self, session_id: str, key: str) -> Any:
        with self._database.begin() as transaction:
            found = transaction.get(f"{session_id}/{key}".encode())
        return None if found is None else msgspec.msgpack.decode(found)


class Valkey:
    """A hash a user, on a server that appends to its file and syncs it at every write."""

    def __init__(self, url: str) -> None:
        self._client = valkey.from_url(url)

    def save(self, session_id: str, key: str, data: Any) -> None:
        self._client.hset(session_id, key, msgspec.msgpack.encode(data))

    def get(self, session_id: str, key: str) -> Any:
        found = self._client.hget(session_id, key)
        return None if found is None else msgspec.msgpack.decode(found)


def figures(*, quick: bool) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name,
        valkey_part.running() as server,
        SessionManager(f"sqlite:///{name}/sessions.db") as ours,
    ):
        folder = Path(name)
        durable = {
            "a synced file": File(folder / "files"),
            "LMDB, sync": Lmdb(folder / "lmdb"),
            "Valkey, AOF always": Valkey(server.url),
        }
        yield from _saves(ours, durable, quick)
        yield from _gets(ours, durable, quick)


# --- saving -------------------------------------------------------------------------------------


def _saves(ours: SessionManager, durable: dict[str, Any], quick: bool) -> Iterator[Figure]:
    turns, times = (20, 3) if quick else (60, 7)
    default = DefaultSessionManager()
    for user in range(USERS):
        default.session(f"u{user}")
    runs = {name: _rate(turns, _each(store)) for name, store in durable.items()}
    runs["ours"] = _rate(turns, _in_turns(ours))
    runs["ours, each alone"] = _rate(turns, _each(ours))
    runs["pywce's default"] = _rate(turns, _each(default))
    taken = interleaved(runs, times)
    best = max(taken[name] for name in durable)
    unit = "saves/s"
    yield at_least("sessions: turns of ten, best durable", taken["ours"], best, unit, least=5)
    for name in (*durable, "pywce's default"):
        ratio = taken["ours"] / taken[name]
        yield Figure(f"sessions: turns of ten, {name}", taken["ours"], taken[name], unit, ratio)
    alone = taken["ours, each alone"]
    yield Figure("sessions: a save alone, best durable", alone, best, unit, alone / best)


def _rate(turns: int, turn: Callable[[int], None]) -> Callable[[], float]:
    """Saves a second; every turn saves something new."""
    made = iter(range(10**9))

    def run() -> float:
        took = seconds(lambda: [turn(next(made)) for _ in range(turns)])
        return turns * SAVES / took

    return run


def _values(number: int) -> Iterator[tuple[str, Any]]:
    for key in range(SAVES - 1):
        yield f"key{key}", f"value {number}"
    yield "history", [*HISTORY[1:], f"wamid.{number}"]


def _each(store: Sessions) -> Callable[[int], None]:
    def turn(number: int) -> None:
        for key, value in _values(number):
            store.save(f"u{number % USERS}", key, value)

    return turn


def _in_turns(ours: SessionManager) -> Callable[[int], None]:
    def turn(number: int) -> None:
        user = f"u{number % USERS}"
        with ours.turn(user):
            for key, value in _values(number):
                ours.save(user, key, value)

    return turn


# --- getting ------------------------------------------------------------------------------------


def _gets(ours: SessionManager, durable: dict[str, Any], quick: bool) -> Iterator[Figure]:
    plain, copies, times = Plain(), Plain(copies=True), 5 if quick else 15
    for store in (ours, plain, copies, *durable.values()):
        store.save(USER, "stage", "START")
        store.save(USER, "history", HISTORY)
    for key, other, name, count in (
        ("stage", plain, "a scalar, a dict behind a lock", 50_000),
        ("history", copies, "a list of 100, dict and deepcopy", 2_000),
    ):
        runs = {"ours": _time(ours, key, count), "theirs": _time(other, key, count)}
        taken = interleaved(runs, times)
        yield at_most(f"sessions: get {name}", taken["ours"], taken["theirs"], "ns", most=2)
        with ours.turn(USER):
            inside = interleaved(runs, times)
        yield at_most(
            f"sessions: get {name}, in a turn", inside["ours"], inside["theirs"], "ns", most=2
        )
    for name, store in durable.items():
        runs = {"ours": _time(ours, "stage", 1000), "theirs": _time(store, "stage", 1000)}
        taken = interleaved(runs, times)
        ratio = taken["ours"] / taken["theirs"]
        yield Figure(f"sessions: get, {name}", taken["ours"], taken["theirs"], "ns", ratio)


def _time(store: Sessions, key: str, count: int) -> Callable[[], float]:
    """Nanoseconds of a get."""

    def run() -> None:
        get = store.get
        for _ in range(count):
            get(USER, key)

    return lambda: seconds(run) / count * 1e9

"""Projections that crash at every step, and an event that one fails on (4, 21)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

import turnlog
from turnlog import SlotSet, UserUttered
from turnlog.domain.commit import Commit
from turnlog.projections.projection import catch_up, rebuild, set_aside
from turnlog.projections.view import StoredView, View, numbered
from turnlog.storage.sqlite import SqliteRecorder
from turnlog.storage.sqlite_transaction import SqliteTransaction


class Crash(BaseException):
    """As when a process ends: nothing catches it on the way."""


class Texts:
    """Each message's text, and how often each was counted; fails on some texts."""

    name: ClassVar[str] = "texts"

    def __init__(self, poison: str | None = None) -> None:
        self.poison = poison
        self.tried = 0

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        for commit in commits:
            for number, event in enumerate(commit.events, commit.first_event):
                if isinstance(event, UserUttered):
                    self._count(commit.conversation, number, event.text, view)

    def _count(self, conversation: str, number: int, text: str | None, view: View) -> None:
        view.put(conversation, numbered(number), text)
        if text is not None and text == self.poison:
            self.tried += 1
            raise ValueError(f"cannot count {text!r}")
        view.put(conversation, "count", (view.get(conversation, "count") or 0) + 1)


class Crashing(SqliteRecorder):
    """Crashes just before the nth step of a transaction."""

    steps = 10**9

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        self._step()
        with super().transaction() as transaction:
            yield _Watched(transaction, self._step)
            self._step()
        self._step()

    def _step(self) -> None:
        self.steps -= 1
        if self.steps == 0:
            raise Crash


class _Watched:
    def __init__(self, transaction: SqliteTransaction, step: Any) -> None:
        self._transaction, self._step = transaction, step

    def __getattr__(self, name: str) -> Any:
        self._step()
        return getattr(self._transaction, name)


def stored(path: Path) -> tuple[list[Any], Any]:
    recorder = SqliteRecorder(str(path))
    reader = recorder.reader
    found = [*reader.entries("texts")], reader.checkpoint("texts")
    recorder.close()
    return found


def test_a_projection_that_crashes_anywhere_has_its_effect_exactly_once(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        for n in range(12):
            log.record(f"c{n % 3}", UserUttered(str(n)), SlotSet("n", n))
        catch_up(log.store, [Texts()], 5)
        expected = stored(path)
    crashes = 0
    for step in range(1, 10_000):
        recorder = Crashing(str(path))
        with recorder.transaction() as transaction:
            transaction.clear("texts")
        recorder.steps = step
        try:
            catch_up(recorder, [Texts()], 5)
        except Crash:
            crashes += 1
        else:
            break
        finally:
            recorder.close()
        again = SqliteRecorder(str(path))
        catch_up(again, [Texts()], 5)
        again.close()
        assert stored(path) == expected, f"after a crash at step {step}"
    assert crashes > 30


def test_a_poisoned_event_stops_only_its_conversation(any_url: str) -> None:
    with turnlog.open(any_url) as log:
        for n in range(20):
            log.record("good", UserUttered(f"g{n}"))
            log.record("bad", UserUttered("poison" if n == 7 else f"b{n}"))
        projection = Texts("poison")
        begun = time.monotonic()
        catch_up(log.store, [projection])
        log.record("good", UserUttered("more"))
        log.record("bad", UserUttered("more"))
        catch_up(log.store, [projection])
        assert time.monotonic() - begun < 1
        view = StoredView(log.store.reader, "texts")
        assert view.get("good", "count") == 21
        assert view.get("bad", "count") == 7
        assert view.get("bad", numbered(8)) is None
        assert set_aside(view) == {"bad": {"position": 16, "why": "cannot count 'poison'"}}
        assert projection.tried >= 3
        tried = projection.tried
        catch_up(log.store, [projection])
        assert projection.tried == tried

        rebuild(log.store, Texts())
        assert view.get("bad", "count") == 21
        assert set_aside(view) == {}


def test_a_poisoned_event_gives_the_same_entries_whatever_the_batches(tmp_path: Path) -> None:
    with turnlog.open(f"sqlite:///{tmp_path / 'log.db'}") as log:
        for n in range(30):
            log.record(f"c{n % 3}", UserUttered("poison" if n == 10 else str(n)))
        reader = log.store.reader
        found = []
        for batch in (1, 2, 7, 100):
            with log.store.transaction() as transaction:
                transaction.clear("texts")
            catch_up(log.store, [Texts("poison")], batch)
            found.append([*reader.entries("texts")])
        assert found[0] == found[1] == found[2] == found[3]
        assert "c1" in set_aside(StoredView(reader, "texts"))


def test_a_database_that_does_not_answer_sets_no_conversation_aside() -> None:
    from turnlog.errors import Unavailable

    class Cut(Texts):
        def apply(self, commits: Sequence[Commit], view: View) -> None:
            raise Unavailable("gone")

    with turnlog.open("memory:") as log:
        log.record("alice", UserUttered("hello"))
        with pytest.raises(Unavailable):
            catch_up(log.store, [Cut()])
        catch_up(log.store, [Texts()])
        assert StoredView(log.store.reader, "texts").get("alice", "count") == 1

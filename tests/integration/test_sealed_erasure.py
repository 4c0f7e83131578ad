"""An erasure in a sealed log destroys keys, for old backups and a restored key store as well."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from tests.integration.test_erasure import WHY, fill, state_of
from turnlog import EventErased, MessageRedacted, UserIdentified, UserUttered
from turnlog.audit.rebuilding import rebuild
from turnlog.audit.verify import verify
from turnlog.engine.log import Turnlog
from turnlog.storage.copying import backup


@pytest.fixture
def keys(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/keys.db"


@pytest.fixture
def log(url: str, keys: str) -> Iterator[Turnlog]:
    with turnlog.open(url, keys=keys) as log:
        yield log


def said(log: Turnlog) -> list[str]:
    """Everything that can be read of the rows and of the read models."""
    rows = log.store.reader.tail(0, 999)
    entries = [str(entry) for model in ("transcript", "slots") for entry in _entries(log, model)]
    heads = [f"{head.conversation} {state}" for head, state in log.heads()]
    return [*(str(row.commit().events) for row in rows), *entries, *heads]


def _entries(log: Turnlog, model: str) -> Iterator[tuple[str, str, bytes]]:
    return log.store.reader.entries(model)


def test_a_person_is_erased_from_an_earlier_backup(log: Turnlog, keys: str, tmp_path: Path) -> None:
    fill(log)
    log.current.catch_up()
    backup(log.store.beneath, tmp_path / "before.db")
    before = state_of(log, "ben")
    assert any("canary" in line for line in said(log))
    erased = log.erase(person="anna", **WHY)
    assert (erased.conversations, erased.shared, erased.events) == (2, 1, 3)
    assert sorted(log.ids()) == ["ben", "group"]
    assert state_of(log, "ben") == before
    assert log.conversation("group").slots == {"b": "ben's"}
    assert verify(log.store).faults == []
    with turnlog.open(f"sqlite:///{tmp_path}/before.db", keys=keys, readonly=True) as copy:
        found = said(copy)
        assert list(copy.ids()) == ["ben"]
        assert [line for line in found if "canary" in line or "anna" in line] == []
        assert any("ben 2" in line for line in found)
        kinds = {
            type(event) for row in copy.store.reader.tail(1, 99) for event in row.commit().events
        }
        assert EventErased in kinds


def test_a_redaction_outlives_the_erasure_of_its_author(log: Turnlog) -> None:
    log.record("group", UserIdentified("ben"), UserUttered("ben's pin is 4711"))
    log.record("group", UserIdentified("anna"), UserUttered("take that out"))
    log.record("group", MessageRedacted(2, reason="asked for"))
    assert "4711" not in str(list(log.conversation("group").events()))
    log.erase(person="anna", **WHY)
    assert "4711" not in str(list(log.conversation("group").events()))
    assert verify(log.store).faults == []


def test_read_models_of_a_group_are_made_again_in_an_old_backup(
    log: Turnlog, keys: str, tmp_path: Path
) -> None:
    fill(log)
    log.current.catch_up()
    backup(log.store.beneath, tmp_path / "before.db")
    log.erase(person="anna", **WHY)
    with turnlog.open(f"sqlite:///{tmp_path}/before.db", keys=keys) as copy:
        assert {fault.conversation for fault in verify(copy.store).faults} >= {"group"}
        rebuild(copy.store)
        assert sorted(copy.ids()) == ["ben", "group"]
        assert copy.conversation("group").slots == {"b": "ben's"}
        assert verify(copy.store).faults == []


def test_an_erased_conversation_leaves_its_people_elsewhere(log: Turnlog) -> None:
    fill(log)
    log.erase("+4915", **WHY)
    assert sorted(log.ids()) == ["ben", "group", "web-7"]
    assert "canary two" in str(log.read_events("web-7"))
    assert log.keys is not None
    assert log.keys.subjects_in("+4915") == []
    assert verify(log.store).faults == []


def test_the_log_wins_over_a_restored_key_store(
    url: str, keys: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if url == "memory:":
        pytest.skip("a log in memory ends with its object")
    with turnlog.open(url, keys=keys) as log:
        fill(log)
        backup(log.store.beneath, tmp_path / "before.db")
    shutil.copy(tmp_path / "keys.db", tmp_path / "copy.db")
    with turnlog.open(url, keys=keys) as log:
        log.erase(person="anna", **WHY)
    (tmp_path / "keys.db").unlink()
    shutil.move(tmp_path / "copy.db", tmp_path / "keys.db")
    with turnlog.open(url, keys=keys, readonly=True) as log:
        assert "keys of erased content again" in caplog.text
        assert sorted(log.ids()) == ["ben", "group"]
    with turnlog.open(f"sqlite:///{tmp_path}/before.db", keys=keys, readonly=True) as copy:
        assert not any("canary" in line for line in said(copy))


def test_a_person_who_comes_back_has_another_key(log: Turnlog) -> None:
    fill(log)
    log.erase(person="anna", **WHY)
    log.record("new", turnlog.UserIdentified("anna"), UserUttered("back again"))
    assert "back again" in str(log.read_events("new"))
    assert verify(log.store).faults == []


def test_erasing_one_event_drops_its_bytes_and_keeps_the_key(log: Turnlog) -> None:
    fill(log)
    log.erase("web-7", event=3, **WHY)
    assert isinstance(log.read_events("web-7")[2], EventErased)
    assert "hello canary" in str(log.read_events("web-7"))
    assert verify(log.store).faults == []

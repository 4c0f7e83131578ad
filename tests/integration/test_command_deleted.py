"""Deletions: who, when and why is recorded, and no derived copy of the words remains."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from tests.stored import snapshots_of
from turnlog import BotUttered, MessageRedacted, SlotSet, UserIdentified, UserUttered
from turnlog.audit.verify import verify
from turnlog.projections.rebuilding import rebuild_heads

SECRET = "the-secret-word"
LONG = 600
"""Enough events for snapshots."""


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[turnlog.Turnlog]:
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'log.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    with turnlog.open(url, clock=lambda: 1000.0) as opened:
        yield opened


def fill(log: turnlog.Turnlog, id: str, events: int = LONG) -> None:
    log.record(id, UserUttered(SECRET, message_id="m1"), UserIdentified(user=SECRET))
    log.record(id, SlotSet("word", SECRET), turnlog.ConversationTagged((SECRET,)))
    for _ in range(events // 100):
        log.record(id, *(BotUttered(SECRET) for _ in range(100)))


def derived(log: turnlog.Turnlog, id: str) -> bytes:
    """Everything outside the rows, except the id."""
    reader = log.store.reader
    head = reader.head(id)
    assert head is not None
    held = [head.state, *(snapshot.state for snapshot in snapshots_of(reader, id))]
    for model in ("slots", "transcript", "session_values", "due_prompts"):
        held += [value for _, _, value in reader.entries(model, id)]
    return b"".join(held)


def test_derived_copies_disappear_with_the_deletion(log: turnlog.Turnlog) -> None:
    fill(log, "gone")
    fill(log, "stays")
    log.view("transcript")
    log.view("slots")
    log.current.catch_up()
    assert SECRET.encode() in derived(log, "gone")
    assert len(snapshots_of(log.store.reader, "gone")) == 2
    log.delete("gone", "asked to", actor="carla")
    assert SECRET.encode() not in derived(log, "gone")
    assert snapshots_of(log.store.reader, "gone") == []
    assert SECRET.encode() in derived(log, "stays")
    assert verify(log.store).ok
    rebuild_heads(log.store)
    assert SECRET.encode() not in derived(log, "gone")
    assert verify(log.store).ok


def test_a_snapshot_that_was_due_in_the_same_batch_is_not_taken(log: turnlog.Turnlog) -> None:
    long = log.request("gone", [BotUttered(SECRET)] * LONG)
    deletion = log.request("gone", [turnlog.ConversationDeleted()])
    log.writer.submit(long)
    log.writer.submit(deletion)
    log.writer.flush()
    assert snapshots_of(log.store.reader, "gone") == []
    assert SECRET.encode() not in derived(log, "gone")
    assert verify(log.store).ok


def test_no_word_is_left_outside_the_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as log:
        fill(log, "gone")
        log.view("transcript")
        log.delete("gone")
    assert run("rebuild", "--db", url).status == 0
    database = sqlite3.connect(tmp_path / "log.db")
    database.execute("DELETE FROM rows_t1")
    database.commit()
    database.execute("VACUUM")
    database.close()
    assert SECRET.encode() not in (tmp_path / "log.db").read_bytes()


def test_a_known_key_answers_without_content(log: turnlog.Turnlog) -> None:
    fill(log, "gone", events=0)
    log.record("gone", BotUttered(SECRET), key="k")
    log.delete("gone")
    for again in (
        log.record("gone", UserUttered("again", message_id="m1")),
        log.record("gone", BotUttered("again"), key="k"),
    ):
        assert (again.new, again.events) == (False, [])
        assert SECRET not in repr(again)
    with pytest.raises(turnlog.errors.InvalidEvent):
        log.record("gone", BotUttered("late"))


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url, clock=lambda: 1000.0) as log:
        fill(log, "gone", events=0)
        fill(log, "stays", events=0)
        log.record("gone", UserUttered("my card is 1234"), MessageRedacted(5))
    done = run("delete", "gone", "--actor", "carla", "--reason", "asked to", "--db", url)
    assert done.status == 0
    return url


def test_a_list_says_who_when_and_why(db: str) -> None:
    (line,) = run("audit", "--deleted", "--json", "--db", db).lines
    time = line.pop("time")
    assert time > 1000.0
    assert line == {"conversation": "gone", "event": 7, "actor": "carla", "reason": "asked to"}
    assert "asked to" in run("audit", "--deleted", "--db", db).out
    assert run("delete", "stays", "--db", db).status == 0
    (_, other) = run("audit", "--deleted", "--json", "--db", db).lines
    assert (other["conversation"], other["actor"], other["reason"]) == ("stays", "system", None)


@pytest.mark.parametrize(
    "command", [("log", "gone"), ("show", "gone"), ("show", "gone", "--dialogue")]
)
def test_a_deleted_conversation_is_shown_on_request(db: str, command: tuple[str, ...]) -> None:
    hidden = run(*command, "--db", db)
    assert (hidden.status, hidden.out) == (2, "")
    shown = run(*command, "--deleted", "--db", db)
    assert shown.status == 0
    assert SECRET in shown.out
    assert "1234" not in shown.out
    assert run(command[0], "missing", "--deleted", "--db", db).status == 2
    assert run(command[0], "stays", "--deleted", "--db", db).status == 0


def test_its_state_is_the_one_before_and_its_log_ends_with_the_deletion(db: str) -> None:
    state = run("show", "gone", "--deleted", "--json", "--db", db).json
    assert (state["event"], state["slots"]) == (6, {"word": SECRET})
    then = run("show", "gone", "--deleted", "--at-event", "1", "--json", "--db", db).json
    assert (then["event"], then["slots"]) == (1, {})
    last = run("log", "gone", "--json", "--deleted", "--db", db).lines[-1]
    assert (last["type"], last["actor"], last["reason"]) == (
        "ConversationDeleted", "carla", "asked to",
    )  # fmt: skip


def test_its_page_shows_the_deletion(db: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("audit", "gone", "--out", page, "--db", db).status == 2
    assert run("audit", "gone", "--deleted", "--out", page, "--db", db).status == 0
    assert "deleted: asked to" in page.read_text()
    assert run("audit", "--db", db).status == 2
    assert run("audit", "gone", "--deleted", "--db", db).status == 2


def test_it_stays_hidden_elsewhere(db: str) -> None:
    assert [line["conversation"] for line in run("list", "--json", "--db", db).lines] == ["stays"]
    assert run("why", "gone", "word", "--db", db).status == 2
    assert run("verify", "--db", db).status == 0


async def test_both_interfaces_report_deletions(tmp_path: Path) -> None:
    async with turnlog.aopen(f"sqlite:///{tmp_path / 'log.db'}") as log:
        await log.record("gone", UserUttered(SECRET))
        await log.view("transcript")
        await log.delete("gone", "asked to", actor="carla")
        (deletion,) = [each async for each in log.deletions()]
        assert (deletion.conversation, deletion.actor) == ("gone", "carla")
        assert SECRET.encode() not in derived(log.sync, "gone")
        kept = await log.conversation("gone", deleted=True)
        assert kept.state.deleted

"""A projection that has seen rows which the log no longer has does not continue over others."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import turnlog
from turnlog import UserUttered
from turnlog.errors import Corrupt
from turnlog.projections import PROJECTIONS
from turnlog.projections.projection import catch_up, rebuild
from turnlog.projections.transcript import messages

CUT = "DELETE FROM rows_t1 WHERE position > 3"
CHANGED = "UPDATE rows_t1 SET topic = 't2' WHERE position = 5"


@pytest.mark.parametrize("statement", [CUT, CHANGED])
@pytest.mark.parametrize("readonly", [True, False])
def test_catching_up_compares_the_row_at_its_mark(tmp_path: Path, statement: str, readonly: bool):
    path = tmp_path / "chat.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        for number in range(5):
            log.record("alice", UserUttered(f"{number}"))
        catch_up(log.store, PROJECTIONS.values())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    with (
        turnlog.open(f"sqlite:///{path}", readonly=readonly) as log,
        pytest.raises(Corrupt, match="another row at position 5"),
    ):
        log.view("transcript")


def test_a_rebuild_restores_the_projection(tmp_path: Path):
    path = tmp_path / "chat.db"
    with turnlog.open(f"sqlite:///{path}") as log:
        for number in range(5):
            log.record("alice", UserUttered(f"{number}"))
        catch_up(log.store, PROJECTIONS.values())
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(CUT)
    with turnlog.open(f"sqlite:///{path}") as log:
        rebuild(log.store, PROJECTIONS["transcript"])
        assert [m["text"] for m in messages(log.view("transcript"), "alice")] == ["0", "1", "2"]


def test_a_cancelled_record_with_a_repeated_key_is_stored_once(tmp_path: Path):
    async def cancelled() -> None:
        async with turnlog.aopen(f"sqlite:///{tmp_path / 'chat.db'}") as log:
            waiting = asyncio.create_task(log.record("alice", UserUttered("hello"), key="m1"))
            await asyncio.sleep(0)  # the writer has it by now
            waiting.cancel()
            again = await log.record("alice", UserUttered("hello"), key="m1")
            assert waiting.cancelled()
            assert not again.new
            assert len(await log.read_events("alice")) == 1

    asyncio.run(cancelled())

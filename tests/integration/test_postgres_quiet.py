"""A commit that PostgreSQL refuses: its caller is answered, and no warning is written."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("psycopg", reason="part not had: postgres: no package")

import turnlog
from turnlog.storage.postgres_transaction import PostgresTransaction
from turnlog.storage.rows import Row


@pytest.mark.parametrize("wait", [0.0, 0.3])
def test_a_refused_commit_warns_of_nothing(
    postgres_url: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    wait: float,
) -> None:
    """wait: seconds between rows and COMMIT, in which the server refuses the rows."""
    append = PostgresTransaction.append

    def slowly(transaction: PostgresTransaction, rows: Sequence[Row], *rest: Any) -> None:
        append(transaction, rows, *rest)
        time.sleep(wait)

    monkeypatch.setattr(PostgresTransaction, "append", slowly)
    with turnlog.open(postgres_url) as log:
        for number in range(3):
            log.record("alice", turnlog.UserUttered("hi"), key=f"k{number}")
        for number in range(3):
            assert not log.record("alice", turnlog.UserUttered("hi"), key=f"k{number}").new
            assert log.record("alice", turnlog.BotUttered("it continues")).new
        assert log.conversation("alice").state.event == 6
    aside = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in aside] == []

"""Heads while others go on: never older than what was seen, whichever life the tail is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import turnlog
from turnlog import UserUttered


def test_a_row_that_another_thread_folds_meanwhile_is_seen(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as ours, turnlog.open(url) as others:
        ours.record("alice", UserUttered("one"))
        others.record("alice", UserUttered("two"))
        heads, reader = ours.current, ours.store.reader
        heads.refresh(reader)

        class Folded(dict[str, Any]):
            """Another thread comes first whenever the tail is looked into."""

            def __contains__(self, name: object) -> bool:
                heads._pending = dict(self)
                heads._folded(reader, ["alice"], {})
                return name in heads._pending

        heads._pending = Folded(heads._pending)
        assert heads.known(reader, ["alice"])["alice"].version == 2


def test_a_tail_of_a_life_before_that_of_the_table_is_seen(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    with turnlog.open(url) as ours, turnlog.open(url) as others:
        others.record("alice", UserUttered("one"))
        others.current.catch_up()
        ours.current.refresh(ours.store.reader)
        others.record("alice", UserUttered("two"))
        ours.current.refresh(ours.store.reader)
        others.delete("alice")
        others.record("alice", UserUttered("again"))
        others.current.catch_up()
        head = ours.current.known(ours.store.reader, ["alice"])["alice"]
        assert (head.life, head.version) == (2, 1)

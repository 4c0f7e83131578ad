"""Writes a log of the present format, and its content: python -m tests.golden.make t1

Once released, a golden file is never made again: the tests read it forever.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import turnlog
from turnlog import (
    ActionExecuted,
    BotUttered,
    ConversationDeleted,
    ConversationRestarted,
    Entity,
    Intent,
    MediaAdded,
    MessageUnderstood,
    SlotSet,
    TextAdded,
    UserUtteranceReverted,
    UserUttered,
)
from turnlog.domain.events import EVENTS
from turnlog.domain.streams import UPKEEP
from turnlog.encoding.apart import attachments_in
from turnlog.engine.log import Turnlog
from turnlog.engine.recordable import OF_THE_LOG
from turnlog.engine.request import Request
from turnlog.errors import InvalidEvent, Restricted
from turnlog.serializers.shared import plain
from turnlog.testing import strategies

HERE = Path(__file__).parent


def make(name: str) -> None:
    path = HERE / f"{name}.db"
    for file in HERE.glob(f"{name}.db*"):
        file.unlink()
    times = iter(range(1_700_000_000, 1_800_000_000, 10))
    with turnlog.open(f"sqlite:///{path}", clock=lambda: float(next(times))) as log:
        _by_hand(log)
        _of_every_type(log)
        log.view("slots")
        (HERE / f"{name}.jsonl").write_bytes(said(log))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
    connection.close()
    Path(f"{path}-highwater").unlink()


def _by_hand(log: Turnlog) -> None:
    for n in range(100):
        log.record("long", UserUttered(f"message {n}", message_id=f"m{n}"), SlotSet("n", n))
        log.record("long", ActionExecuted("utter"), BotUttered(f"answer {n}", {"buttons": [n]}))
    log.record("alice", UserUttered("a table for two"))
    understood = MessageUnderstood(Intent("book", 0.9), (Entity("people", 2, 12, 15),))
    log.record("alice", understood, SlotSet("people", 2))
    log.record("alice", UserUttered("no"), SlotSet("people", None), UserUtteranceReverted())
    log.record("large", UserUttered("look"), MediaAdded("image", content=bytes(70_000)))
    log.record("large", TextAdded("long " * 14_000))
    log.record("nul\0 😀", UserUttered("nul\0 😀"), ConversationRestarted(), SlotSet("x", [1.5]))


def _of_every_type(log: Turnlog) -> None:
    """Two events of each type, with whatever hypothesis puts into their fields."""

    def record(number: int, kind: type[Any]) -> None:
        @settings(max_examples=8, derandomize=True, database=None, deadline=None)
        @given(st.lists(strategies.events(kind), min_size=2, max_size=2))
        def some(events: list[Any]) -> None:
            last = kind is ConversationDeleted  # the next event begins it again
            try:
                if kind in OF_THE_LOG:
                    request = Request(UPKEEP, lambda state, past: events, log.clock())
                    log.writer.perform(request)
                    return
                log.record(f"type {number}", UserUttered("before"), *events[:1] if last else events)
            except (InvalidEvent, Restricted):  # it names an event that is not there
                return

        some()

    for number, kind in enumerate(EVENTS):
        record(number, kind)


def said(log: Turnlog) -> bytes:
    """The log's content, one JSON line for each conversation."""
    return b"".join(plain.dumps(line) + b"\n" for line in _lines(log))


def _lines(log: Turnlog) -> Iterator[dict[str, Any]]:
    for head in log.current.every(log.store.reader):
        history = log.history(head.conversation)
        state = history.replay()
        yield {
            "conversation": head.conversation,
            "digest": head.digest.hex(),
            "turn": state.turn,
            "slots": state.slots,
            "events": [plain.to_plain(event) for event in history.events()],
            "attached": [each.sha256().hex() for each in attachments_in(history.events())],
        }


if __name__ == "__main__":
    make(sys.argv[1])

"""The same turns on turnlog, on stock eventsourcing and on the floor (plain sqlite3 + msgspec).

A turn is six events: the user's message with intent and two entities, three slots, an action, the
bot's message. turnlog stores the message and its interpretation as two events, which still count as
one.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import eventsourcing.sqlite
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

import turnlog
from turnlog.domain.events import Entity, Event, Intent
from turnlog.encoding import binary

EVENTS_A_TURN = 6
START = 1_700_000_000.0

TEXT = "I would like a table for two people in the centre of town, number {n}"
ANSWER = "I found several places for two people in the centre. Shall I book one?"
INTENT = ("book_restaurant", 0.97)
ENTITIES = (("people", "2", 24, 27), ("area", "centre", 43, 49))
ACTION = ("utter_confirm", "TEDPolicy", 0.93)


def slots(n: int) -> list[tuple[str, Any]]:
    return [("people", n % 12), ("area", "centre"), ("request", f"table {n}")]


def turn(n: int) -> tuple[Event, ...]:
    at = START + n
    return (
        turnlog.UserUttered(TEXT.format(n=n), timestamp=at),
        turnlog.MessageUnderstood(
            Intent(*INTENT), tuple(Entity(*entity) for entity in ENTITIES), timestamp=at
        ),
        *(turnlog.SlotSet(name, value, timestamp=at) for name, value in slots(n)),
        turnlog.ActionExecuted(*ACTION, timestamp=at),
        turnlog.BotUttered(ANSWER, timestamp=at),
    )


def size(path: Path) -> int:
    """Bytes of a database whose write-ahead log has been moved into it."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.stat().st_size


class Ours:
    """turnlog: chain and idempotency key; heads, keys and snapshots follow."""

    def __init__(self, path: Path, synchronous: str = "FULL", keys: Path | None = None) -> None:
        """keys: of the key store that the log is sealed with."""
        self.path = path
        self._url = f"sqlite:///{path}?synchronous={synchronous}"
        self.log = turnlog.open(self._url, keys=None if keys is None else f"sqlite:///{keys}")
        self._keys = itertools.count()

    def append(self, conversation: int, n: int) -> None:
        self.append_to(f"c{conversation}", n)

    def append_to(self, id: str, n: int) -> None:
        self.log.record(id, *turn(n), key=f"k{next(self._keys)}")

    def append_group(self, first: int, count: int) -> None:
        requests = [
            self.log.request(f"c{n}", turn(n), key=f"k{next(self._keys)}")
            for n in range(first, first + count)
        ]
        for request in requests:
            self.log.writer.submit(request)
        self.log.writer.flush()
        for request in requests:
            request.result()

    def fill(self, conversation: int, turns: int, group: int = 250) -> None:
        """Append turns in groups; each is a separate commit, as in a live conversation."""
        for first in range(0, turns, group):
            for n in range(first, min(first + group, turns)):
                self.log.writer.submit(
                    self.log.request(f"c{conversation}", turn(n), key=f"k{next(self._keys)}")
                )
            self.log.writer.flush()

    def level(self) -> None:
        """Bring every derived table up to the end of the log."""
        self.log.current.catch_up()

    def replay(self, conversation: int) -> turnlog.State:
        """Every stored event read, decoded and applied."""
        return self.log.history(f"c{conversation}").replay()

    def close(self) -> None:
        self.log.close()

    def reopen(self) -> None:
        """As in a process that has just started."""
        self.log.close()
        self.log = turnlog.open(self._url)


class Chat(Aggregate):
    """What a user of stock eventsourcing writes: one event class for each thing that happens."""

    @event("Started")
    def __init__(self) -> None:
        self.slots: dict[str, Any] = {}
        self.latest_message: dict[str, Any] | None = None
        self.latest_action: str | None = None
        self.latest_bot_message: str | None = None
        self.turn = 0

    @event("UserUttered")
    def hear(
        self, text: str, intent: dict[str, Any], entities: list[dict[str, Any]], at: float
    ) -> None:
        self.turn += 1
        self.latest_message = {"text": text, "intent": intent, "entities": entities}

    @event("SlotSet")
    def set_slot(self, name: str, value: Any, at: float) -> None:
        self.slots[name] = value

    @event("ActionExecuted")
    def act(self, name: str, policy: str, confidence: float, at: float) -> None:
        self.latest_action = name

    @event("BotUttered")
    def say(self, text: str, at: float) -> None:
        self.latest_bot_message = text

    def take_turn(self, n: int) -> None:
        at = START + n
        names = ("entity", "value", "start", "end")
        self.hear(
            text=TEXT.format(n=n),
            intent={"name": INTENT[0], "confidence": INTENT[1]},
            entities=[dict(zip(names, entity, strict=True)) for entity in ENTITIES],
            at=at,
        )
        for name, value in slots(n):
            self.set_slot(name=name, value=value, at=at)
        self.act(name=ACTION[0], policy=ACTION[1], confidence=ACTION[2], at=at)
        self.say(text=ANSWER, at=at)


class _Pool(eventsourcing.sqlite.SQLiteConnectionPool):
    """The stock pool, which never sets `synchronous`, with the same setting as ours."""

    synchronous = "FULL"

    def _create_connection(self) -> Any:
        connection = super()._create_connection()
        connection.cursor().execute(f"PRAGMA synchronous = {self.synchronous}")
        return connection


class Stock:
    """Stock eventsourcing: Aggregate, JSON transcoder, SQLite; aggregates stay in memory."""

    def __init__(self, path: Path, synchronous: str = "FULL") -> None:
        self.path = path
        _Pool.synchronous = synchronous
        eventsourcing.sqlite.SQLiteConnectionPool = _Pool  # type: ignore[misc]
        environment = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)}
        self.application: Application[UUID] = Application(environment)
        self.chats: dict[int, Chat] = {}

    def append(self, conversation: int, n: int) -> None:
        chat = self.chats.get(conversation)
        if chat is None:
            chat = self.chats[conversation] = Chat()
        chat.take_turn(n)
        self.application.save(chat)

    def fill(self, conversation: int, turns: int, group: int = 250) -> None:
        chat = self.chats.setdefault(conversation, Chat())
        for n in range(turns):
            chat.take_turn(n)
            if n % group == group - 1:
                self.application.save(chat)
        self.application.save(chat)

    def replay(self, conversation: int) -> Chat:
        return self.application.repository.get(self.chats[conversation].id)

    def level(self) -> None:
        """Nothing is derived."""

    def close(self) -> None:
        self.application.close()


class Floor:
    """One row a turn, msgpack by msgspec, one kept connection: nothing else."""

    def __init__(self, path: Path, synchronous: str = "FULL") -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute(f"PRAGMA synchronous = {synchronous}")
        self.connection.execute(
            "CREATE TABLE turns (id INTEGER PRIMARY KEY, conversation TEXT, n INTEGER, body BLOB)"
        )
        self.connection.execute("CREATE UNIQUE INDEX by_n ON turns (conversation, n)")
        self._versions = itertools.count()

    def append(self, conversation: int, n: int) -> None:
        self.append_group(conversation, 1)

    def append_group(self, first: int, count: int) -> None:
        run = self.connection.execute
        run("BEGIN IMMEDIATE")
        for n in range(first, first + count):
            run(
                "INSERT INTO turns (conversation, n, body) VALUES (?, ?, ?)",
                (f"c{n}", next(self._versions), binary.encode(turn(n))),
            )
        run("COMMIT")

    def level(self) -> None:
        """Nothing is derived."""

    def close(self) -> None:
        self.connection.close()


def bodies(turns: int) -> Iterator[bytes]:
    """Encoded commits, for decoding and applying in memory only."""
    return (binary.encode_events(turn(n)) for n in range(turns))

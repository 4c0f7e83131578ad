"""Sample rows and their derived data."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import Any

from turnlog.domain.state import State
from turnlog.encoding import binary
from turnlog.encoding.names import encode_name
from turnlog.encoding.rows import foreign_columns
from turnlog.storage.lookups import key_lookup
from turnlog.storage.reader import Reader
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import (
    Head,
    Key,
    Row,
    Snapshot,
    Stream,
)


def stream(conversation: str, life: int = 1) -> Stream:
    """The stream of a conversation's life."""
    number = int.from_bytes(sha256(f"{conversation} {life}".encode()).digest()[:8]) >> 1
    return Stream(number, life, b"owner\0" * 5, encode_name(conversation, b"salt\xff"))


def place(conversation: str) -> int:
    """The number of its stream."""
    return stream(conversation).stream


def row(position: int, conversation: str, version: int = 1) -> Row:
    """A row with a fixed content."""
    number, _, owner, name = stream(conversation)
    made = foreign_columns("topic", b"state\xff", bytes(range(240, 256)))
    previous = _digest(conversation, version - 1) if version > 1 else b"previous\0"
    return Row(
        position, number, version, made.topic, previous, made.skeleton, b"", made.parts, owner,
        name, 1,
    )  # fmt: skip


@cache
def _digest(conversation: str, version: int) -> bytes:
    return row(0, conversation, version).digest()


def head(conversation: str, version: int = 1) -> Head:
    """A head after a version."""
    number, _, owner, _ = stream(conversation)
    state = binary.encode_state(State(event=version))
    return Head(conversation, number, owner, 1, version, version, b"digest", version, 0, 0, state)


def snapshot(conversation: str, version: int) -> Snapshot:
    """A snapshot after event 10 × version, in turn `version`."""
    number = stream(conversation).stream
    return Snapshot(number, version, 10 * version, version, b"digest", b"state", 0)


def append(recorder: Recorder, *rows: Row) -> None:
    """Append rows, with the streams that do not exist yet."""
    names = dict.fromkeys(row.conversation for row in rows)
    begun = [stream(name) for name in names if recorder.reader.stream(name) is None]
    with recorder.transaction() as transaction:
        transaction.append(rows, begun)


def keyed(
    recorder: Recorder, conversation: str, key: str, reader: Reader | None = None
) -> Row | None:
    """The row with a conversation's key."""
    lookup = key_lookup(recorder.genesis.secret, conversation, key)
    return next(iter((reader or recorder.reader).keyed_rows([lookup])), None)


def put_keys(recorder: Recorder, *keys: tuple[str, str, int]) -> None:
    """Conversations, keys and positions."""
    secret = recorder.genesis.secret
    with recorder.transaction() as transaction:
        transaction.put_keys([Key(key_lookup(secret, name, key), p) for name, key, p in keys])


def contents(recorder: Recorder) -> list[Any]:
    """The whole content of a log."""
    reader = recorder.reader
    heads = list(reader.heads())
    snapshots = [s for h in heads for s in reader.snapshots(h.stream)]
    entries = [(m, list(reader.entries(m))) for m in ("m", "n")]
    return [list(reader.tail(0, 9999)), heads, snapshots, list(reader.checkpoints()), entries]


def started(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """A thread that does the work, and the list that receives its result."""
    answers: list[Any] = []

    def run() -> None:
        with suppress(StopIteration):
            answers.append(work())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, answers

"""What a log stores of a conversation (of its newest life), for tests that look underneath."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.storage.reader import Reader
from turnlog.storage.rows import Row, Snapshot


def rows_of(
    reader: Reader,
    conversation: str,
    after: int = 0,
    upto: int | None = None,
    life: int | None = None,
) -> Sequence[Row]:
    stream = reader.stream(conversation, life)
    return reader.rows(stream.stream, after, upto) if stream else []


def snapshots_of(reader: Reader, conversation: str) -> Sequence[Snapshot]:
    stream = reader.stream(conversation)
    return reader.snapshots(stream.stream) if stream else []

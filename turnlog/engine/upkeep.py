"""The log's records about itself, in its own stream: written, and found from its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from turnlog.domain.events import Event
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.streams import UPKEEP
from turnlog.encoding.apart import BARE
from turnlog.encoding.rows import TAGS, holds, is_commit
from turnlog.engine.request import Request
from turnlog.storage.reader import Reader

_ROWS_AT_ONCE = 16


def record(log: Any, *events: Event, key: str | None = None) -> None:
    """Events in one commit; with a key only once, however many processes try."""
    now = log.clock()
    log.writer.perform(Request(UPKEEP, lambda state, past: events, now, now, key))


def newest_first(reader: Reader, kinds: Sequence[type[Event]]) -> Iterator[RecordedEvent]:
    """The events of these types; decodes only rows whose skeleton names one of them."""
    tags = frozenset(TAGS[kind] for kind in kinds)
    stream, before = reader.stream(UPKEEP), 2**62
    while stream and (rows := reader.rows_newest_first(stream.stream, before, _ROWS_AT_ONCE)):
        for row in rows:
            if is_commit(row.topic) and holds(row.topic, row.skeleton, tags):
                for recorded in [*row.commit(BARE).recorded_events()][::-1]:
                    if isinstance(recorded.event, tuple(kinds)):
                        yield recorded
        before = rows[-1].version

"""Which of several conversations counts a past that forks share, so that it counts once
(ADR 15).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from turnlog.domain.state import State
from turnlog.encoding.names import decode_name
from turnlog.engine.log import Turnlog
from turnlog.errors import UnknownConversation
from turnlog.projections.live_head import LiveHead
from turnlog.projections.stream_rows import StreamRows


class HeldPast(NamedTuple):
    """How many of a conversation's first events another one counts, and which one."""

    events: int = 0
    holder: str | None = None


NOTHING = HeldPast()


class SharedPasts:
    """Asked about one conversation after the other, of those that count.

    The origin counts what its forks share, if it counts itself; otherwise the first fork does.
    counts: whether a conversation counts.
    """

    def __init__(self, log: Turnlog, counts: Callable[[LiveHead, State], bool]) -> None:
        self._log = log
        self._counts = counts
        self._known: dict[int, str | None] = {}
        self._held: dict[int, HeldPast] = {}

    def of(self, head: LiveHead, state: State) -> HeldPast:
        """The part of a conversation that others count."""
        line = state.lineage
        if line.origin is None:
            return NOTHING
        if (origin := self._counting(line.origin)) is not None:
            return HeldPast(line.shared, origin)
        return self._of_fork(head)

    def _of_fork(self, head: LiveHead) -> HeldPast:
        for rows in self._line(head):
            upto = rows.upto or 0
            if (origin := self._counting(rows.stream)) is not None:
                return HeldPast(upto, origin)
            before = self._held.get(rows.stream)
            if before is None or before.events < upto:
                self._held[rows.stream] = HeldPast(upto, head.conversation)
            if before is not None:
                return HeldPast(min(before.events, upto), before.holder)
        return NOTHING

    def _line(self, head: LiveHead) -> Iterator[StreamRows]:
        """The conversations that it continues from, the nearest first."""
        rows = StreamRows.of(self._log.store.reader, self._log.current, head).origin
        while rows is not None:
            yield rows
            rows = rows.origin

    def _counting(self, stream: int) -> str | None:
        """The conversation of a stream, if it counts."""
        if stream not in self._known:
            self._known[stream] = self._found(stream)
        return self._known[stream]

    def _found(self, stream: int) -> str | None:
        stored = self._log.store.reader.stream_of(stream)
        if stored is None or stored.name is None:
            return None
        name = decode_name(stored.name)
        try:
            head, state = self._log.head(name)
        except UnknownConversation:
            return None
        return name if head.stream == stream and self._counts(head, state) else None

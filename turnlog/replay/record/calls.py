"""The recorded calls of a turn: each answers one call of the bot."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from turnlog.domain.events import ToolCalled, ToolReturned
from turnlog.encoding import binary

Recorded = tuple[ToolCalled, ToolReturned | None]


class RecordedCalls:
    """calls: in order, with their results."""

    def __init__(self, calls: Sequence[Recorded]) -> None:
        self._calls = calls
        self._taken: set[int] = set()
        self._of_tool: defaultdict[str, deque[int]] = defaultdict(deque)
        self._equal: defaultdict[bytes, deque[int]] = defaultdict(deque)
        for place, (call, _) in enumerate(calls):
            self._of_tool[call.name].append(place)
            self._equal[call_content(call)].append(place)

    def take(self, wanted: ToolCalled) -> Recorded | None:
        """The first equal call, or the first one of this tool if none is equal."""
        for places in (self._equal[call_content(wanted)], self._of_tool[wanted.name]):
            while places:
                place = places.popleft()
                if place not in self._taken:
                    self._taken.add(place)
                    return self._calls[place]
        return None


def call_content(call: ToolCalled) -> bytes:
    """The same for equal calls: name and arguments, in any order of keys."""
    return binary.encode_ordered((call.name, call.arguments or {}))

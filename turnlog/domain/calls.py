"""Which result answers which tool call: one fold, for messages, models and replay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from turnlog.domain.events import Event, ToolCalled, ToolReturned

Call = TypeVar("Call")


class OpenCalls(Generic[Call]):
    """The calls that no result has answered yet."""

    def __init__(self) -> None:
        self._named: dict[str, list[Call]] = {}
        self._unnamed: list[list[Call]] = []
        self._side_by_side: list[Call] = []

    def made(self, id: str | None, call: Call) -> None:
        """An empty id names no call."""
        if id:
            self._named[id] = [*self._named.pop(id, ()), call]
            return
        if not self._side_by_side:
            self._unnamed.append(self._side_by_side)
        self._side_by_side.append(call)

    def pause(self) -> None:
        """Later calls are not parallel to the earlier ones."""
        self._side_by_side = []

    def answered(self, id: str | None) -> Call | None:
        """The call that a result with that id answers, which is then closed; None for no call.

        It is the nearest earlier one with the id. A result without an id answers the first of the
        nearest parallel calls without one, or else the nearest call of all.
        """
        id = id or None
        if id is None and self._unnamed:
            calls = self._unnamed[-1]
            call = calls.pop(0)
            if not calls:
                self._unnamed.pop()
            return call
        if id is None:
            id = next(reversed(self._named), None)
        if id is None or (calls := self._named.get(id, [])) == []:
            return None
        call = calls.pop()
        if not calls:
            del self._named[id]
        return call


def answers(events: Iterable[tuple[int, Event]]) -> dict[int, ToolReturned]:
    """The result of each answered call, by the number of the call's event.

    events: with their numbers, oldest first.
    """
    return {call: returned for call, _, returned in answered(events)}


def answered(events: Iterable[tuple[int, Event]]) -> Iterator[tuple[int, int, ToolReturned]]:
    """The number of each call that was answered, then of its result, with the result."""
    open_calls = OpenCalls[int]()
    for number, event in events:
        if isinstance(event, ToolCalled):
            open_calls.made(event.call_id, number)
            continue
        open_calls.pause()
        if not isinstance(event, ToolReturned):
            continue
        if (call := open_calls.answered(event.call_id)) is not None:
            yield call, number, event

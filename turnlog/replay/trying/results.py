"""The results of a conversation's recorded calls: they answer equal calls, as often as needed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from turnlog.domain.events import ToolCalled, ToolReturned
from turnlog.replay.record.calls import call_content
from turnlog.replay.record.turns import RecordedTurn


class RecordedResult(NamedTuple):
    """The result of a call, and the call's turn."""

    turn: int
    returned: ToolReturned


class RecordedResults:
    """turns: those whose calls are used, oldest first. Calls without a result are not."""

    def __init__(self, turns: Iterable[RecordedTurn]) -> None:
        self._equal: dict[bytes, list[RecordedResult]] = {}
        for recorded in turns:
            for call, returned in recorded.calls:
                if returned is not None:
                    found = RecordedResult(recorded.turn.number, returned)
                    self._equal.setdefault(call_content(call), []).append(found)

    def of(self, call: ToolCalled, turn: int, made: int) -> ToolReturned | None:
        """The result of an equal call: of those recorded in that turn, the one after `made` others,
        at the end the last one again; otherwise the latest one before the turn; otherwise the first
        one.

        made: how many equal calls were made before for the same message. None for no result.
        """
        equal = self._equal.get(call_content(call), [])
        if same := [each for each in equal if each.turn == turn]:
            return same[min(made, len(same) - 1)].returned
        before = [each for each in equal if each.turn < turn]
        found = before[-1:] or equal[:1]
        return found[0].returned if found else None

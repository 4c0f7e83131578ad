"""What the recorded calls of a conversation gave: it answers equal calls, as often as asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from turnlog.domain.events import ToolCalled, ToolReturned
from turnlog.replay.record.calls import call_content
from turnlog.replay.record.turns import RecordedTurn


class RecordedResult(NamedTuple):
    """What a call gave, and the turn that it was made in."""

    turn: int
    returned: ToolReturned


class RecordedResults:
    """turns: those whose calls count, oldest first. A call that was never answered does not."""

    def __init__(self, turns: Iterable[RecordedTurn]) -> None:
        self._equal: dict[bytes, list[RecordedResult]] = {}
        for recorded in turns:
            for call, returned in recorded.calls:
                if returned is not None:
                    found = RecordedResult(recorded.turn.number, returned)
                    self._equal.setdefault(call_content(call), []).append(found)

    def of(self, call: ToolCalled, turn: int, made: int) -> ToolReturned | None:
        """The result of an equal call: of those recorded in that turn the one after so many, at
        last the last of them; else the latest that was recorded before the turn; else the first.

        made: how many equal calls were made for the same message before. None where there is none.
        """
        equal = self._equal.get(call_content(call), [])
        if same := [each for each in equal if each.turn == turn]:
            return same[min(made, len(same) - 1)].returned
        before = [each for each in equal if each.turn < turn]
        found = before[-1:] or equal[:1]
        return found[0].returned if found else None

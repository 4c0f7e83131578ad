"""What the recorded calls of a conversation gave: it answers equal calls, as often as asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from turnlog.domain.calls import answers
from turnlog.domain.dialogue import Turn
from turnlog.domain.events import ToolCalled, ToolReturned
from turnlog.encoding import binary


class RecordedResult(NamedTuple):
    """A recorded call, the turn it was made in, and what it gave."""

    turn: int
    call: ToolCalled
    returned: ToolReturned


class RecordedResults:
    """turns: those whose calls count, oldest first. A call that was never answered does not."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        counting = list(turns)
        numbered = [item for turn in counting for item in turn.numbered()]
        results = answers(numbered)
        self._equal: dict[tuple[str, bytes], list[RecordedResult]] = {}
        for turn in counting:
            for number, event in turn.numbered():
                if isinstance(event, ToolCalled) and event.actor != "user" and number in results:
                    found = RecordedResult(turn.number, event, results[number])
                    self._equal.setdefault(_key(event), []).append(found)

    def of(self, call: ToolCalled, turn: int, made: int) -> ToolReturned | None:
        """The result of an equal call: of those recorded in that turn the one after so many, at
        last the last of them; else the latest that was recorded before the turn; else the first.

        made: how many equal calls were made for the same message before. None where there is none.
        """
        equal = self._equal.get(_key(call), [])
        if same := [each for each in equal if each.turn == turn]:
            return same[min(made, len(same) - 1)].returned
        before = [each for each in equal if each.turn < turn]
        found = before[-1:] or equal[:1]
        return found[0].returned if found else None


def _key(call: ToolCalled) -> tuple[str, bytes]:
    return call.name, binary.encode_ordered(call.arguments or {})

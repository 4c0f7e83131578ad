"""A conversation's branches, and where its past comes from (ADR 15)."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from turnlog.domain.branch_events import HistoryContinued

MAIN = "main"
"""The first branch of every conversation."""


class Lineage(msgspec.Struct, frozen=True, array_like=True):
    """branch: the current one, None for the only one. left: the number of the last event of each
    other branch; for a branch without events since its checkout, that of the event it continued
    from. since and base: the numbers of the last checkout and of that event. origin: the stream of
    which this is a fork; shared and turns: its last shared event and turn. trial: an experiment,
    which counts leave out.
    """

    branch: str | None = None
    left: dict[str, int] = {}
    origin: int | None = None
    shared: int = 0
    trial: bool = False
    turns: int = 0
    since: int = 0
    base: int = 0

    def after(self, event: HistoryContinued, number: int, turn: int) -> Lineage:
        """The lineage after an event with that number, in that turn."""
        lineage = self if event.branch is None else self._on(event.branch, number)
        lineage = replace(lineage, since=number, base=event.event)
        if event.conversation is not None:
            origin, shared = event.conversation, event.event
            return replace(lineage, origin=origin, shared=shared, turns=turn, trial=event.trial)
        return replace(lineage, trial=True) if event.trial else lineage

    def _on(self, branch: str, number: int) -> Lineage:
        """The same on another branch, which begins at, or continues from, the event with that
        number.
        """
        current = self.branch or MAIN
        left = {name: last for name, last in self.left.items() if name != branch}
        if branch != current:
            left[current] = self.base if self.since == number - 1 else number - 1
        lineage: Lineage = replace(self, branch=branch, left=left)
        return lineage

    def branches(self, last: int) -> dict[str, int]:
        """The number of the last event of each branch; last: that of the conversation."""
        return {**self.left, self.branch or MAIN: last}

"""Families: which conversations of an export share a past."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

from turnlog.engine.log import Turnlog
from turnlog.engine.shared_pasts import NOTHING, HeldPast
from turnlog.training.plan import ExportPlan
from turnlog.training.select import Selection


class Kin(Protocol):
    """What an answer of a conversation is compared with."""

    def beside(self, id: str) -> Sequence[str]:
        """The conversations that share a past with one."""
        ...

    def held(self, id: str) -> HeldPast | None:
        """What of one another one holds; None where nobody noted that."""
        ...


class Families:
    """Of all conversations that are selected; the log's heads are gone through once."""

    def __init__(self, log: Turnlog, plan: ExportPlan) -> None:
        self._log = log
        self._plan = plan

    def beside(self, id: str) -> Sequence[str]:
        roots, forks = self._found
        root = roots.get(id, id)
        return [each for each in (root, *forks.get(root, ())) if each != id]

    def held(self, id: str) -> HeldPast:
        roots, forks = self._found
        return forks[roots[id]][id] if id in roots else NOTHING

    @cached_property
    def _found(self) -> tuple[dict[str, str], dict[str, dict[str, HeldPast]]]:
        """The root of each fork, and the forks of each root."""
        roots: dict[str, str] = {}
        forks: dict[str, dict[str, HeldPast]] = defaultdict(dict)
        for head, _, held in Selection(self._log, self._plan).chosen():
            if held.holder is not None:
                root = roots[head.conversation] = roots.get(held.holder, held.holder)
                forks[root][head.conversation] = held
        return roots, forks

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
    """The conversations with which an answer of a conversation is compared."""

    def beside(self, id: str) -> Sequence[str]:
        """The conversations that share a past with one."""
        ...

    def held(self, id: str) -> HeldPast | None:
        """The part of a conversation that another one contains; None if a manifest does not note
        it.
        """
        ...


class Families:
    """The families of all selected conversations; reads the log's heads once."""

    def __init__(self, log: Turnlog, plan: ExportPlan) -> None:
        self._log = log
        self._plan = plan

    def beside(self, id: str) -> Sequence[str]:
        """The others of its family, the root first."""
        roots, forks = self._found
        root = roots.get(id, id)
        return [each for each in (root, *forks.get(root, ())) if each != id]

    def held(self, id: str) -> HeldPast:
        """The part of its past that another selected conversation contains."""
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

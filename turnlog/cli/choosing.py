"""Selects the conversations of a command: named, or chosen from all by options."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

import typer

from turnlog.cli.listing import Where
from turnlog.cli.options import valued

Since = Annotated[
    str | None, valued("--since", "TIME", "Those with an event at or after that time.")
]
Last = Annotated[
    int | None,
    typer.Option("--last", metavar="N", min=1, help="The N recorded most recently."),
]
Sample = Annotated[
    int | None,
    typer.Option("--sample", metavar="N", min=1, help="N of them, the same each time."),
]


class Choice(NamedTuple):
    """Filters apply first, then `last`, then `sample`."""

    where: Where = None
    since: Since = None
    last: Last = None
    sample: Sample = None

    def ids(self, log: Any, named: Iterable[str] = ()) -> list[str]:
        """In order of id; named ones in their order. Trials are skipped unless named.

        Raises UnknownConversation for an unknown name.
        """
        found = self._positions(log, list(dict.fromkeys(named)))
        chosen = list(found)
        if self.last is not None:
            newest = sorted(found, key=lambda id: found[id], reverse=True)[: self.last]
            chosen = [id for id in chosen if id in set(newest)]
        if self.sample is not None:
            drawn = set(sorted(chosen, key=_drawn)[: self.sample])
            chosen = [id for id in chosen if id in drawn]
        return chosen

    def _positions(self, log: Any, named: list[str]) -> dict[str, int]:
        """The position of the last commit of each conversation that passes the filters."""
        from turnlog.engine.conditions import seconds
        from turnlog.engine.query import matching

        since = None if self.since is None else seconds(self.since)
        for id in named:
            log.conversation(id)
        wanted = set(named)
        positions = {
            head.conversation: head.position
            for head, state in matching(log, where=self.where)
            if (head.conversation in wanted if named else not state.lineage.trial)
            and (since is None or (state.last is not None and state.last >= since))
        }
        return {id: positions[id] for id in named or positions if id in positions}


def _drawn(id: str) -> bytes:
    """Whether a conversation is drawn depends on its digest, not on other conversations."""
    return hashlib.sha256(id.encode()).digest()

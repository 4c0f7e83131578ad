"""`turnlog states`: the slots after every turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from turnlog.cli import output
from turnlog.cli.settings import Ids, open_log


def states(ids: Ids = None) -> None:
    """Show the slots after every turn."""
    with open_log(readonly=True) as log:
        output.lines(_states(log, ids or log.ids()), columns=("conversation", "turn", "slots"))


def _states(log: Any, ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    for id in ids:
        for state in log.conversation(id).states():
            yield {"conversation": id, "turn": state.turn, "slots": state.slots}

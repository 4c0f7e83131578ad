"""Read models whose entries are found by keys, across conversations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from turnlog.domain.commit import Commit
from turnlog.domain.recorded import RecordedEvent
from turnlog.projections.view import KEYED, View, place_of

_LAST = 2**63 - 1


class KeyedProjection:
    """Puts events under keys, newest first: the id of an entry, the owner of a conversation.

    A subclass computes the keys; `log.view(name).find(key)` returns the entries. once: a
    conversation appears once under a key, at its newest event. Redacted and deleted events have no
    keys.
    """

    name: ClassVar[str]
    once: ClassVar[bool] = False

    def keys(self, recorded: RecordedEvent) -> Iterable[tuple[str, Any]]:
        """The keys of an event, each with a plain value to store there."""
        raise NotImplementedError

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        """See `Projection.apply`."""
        for commit in commits:
            for recorded in commit.recorded_events():
                for key, value in self.keys(recorded):
                    self._put(view, recorded, key, value)

    def _put(self, view: View, recorded: RecordedEvent, key: str, value: Any) -> None:
        conversation, number = recorded.conversation, recorded.number
        mine = KEYED + (key if self.once else f"{number:012} {key}")
        if (before := view.get(conversation, mine)) is not None:
            view.remove(*before)
        position, place = recorded.position or 0, place_of(key)
        newest_first = f"{_LAST - position:019} {_LAST - number:019} {conversation}"
        view.put(place, newest_first, [conversation, number, value])
        view.put(conversation, mine, [place, newest_first])

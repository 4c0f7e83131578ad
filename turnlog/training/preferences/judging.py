"""Judging: what is known about the answers of exported conversations, family by family."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec.structs import replace

from turnlog.domain.judgements import Contradiction, Judgements
from turnlog.engine.log import Turnlog
from turnlog.training.plan import ExportPlan
from turnlog.training.preferences.families import Kin
from turnlog.training.preferences.preferences import Relative, of_family
from turnlog.training.privacy.names import ExportedNames, evidence_named
from turnlog.training.select import PastConversation, Selection

Beside = Callable[[str], bool]
"""Whether another conversation goes into the same part."""


class Judging:
    """Caches what is known of the last family: forks follow each other if their ids do.

    redacted: makes the writable form of a conversation.
    """

    def __init__(
        self,
        log: Turnlog,
        plan: ExportPlan,
        kin: Kin,
        redacted: Callable[[PastConversation], PastConversation],
    ) -> None:
        self._selection = Selection(log, plan)
        self._names = ExportedNames(log, pseudonyms=plan.pseudonyms)
        self._kin = kin
        self._redacted = redacted
        self._known: tuple[list[str], dict[str, Judgements]] = [], {}

    def of(self, conversation: PastConversation, beside: Beside) -> Judgements:
        """conversation: in its writable form."""
        others = [id for id in self._kin.beside(conversation.id) if beside(id)]
        family = sorted([conversation.id, *others])
        if self._known[0] != family:
            self._known = family, self._judged([conversation, *self._read(others)])
        return self._known[1][self._names.shown(conversation.id)]

    def _read(self, ids: Iterable[str]) -> Iterator[PastConversation]:
        for id in ids:
            if (found := self._selection.again(id, self._kin.held(id))) is not None:
                yield self._redacted(found)

    def _judged(self, family: list[PastConversation]) -> dict[str, Judgements]:
        shown = {each.id: self._names.shown(each.id) for each in family}
        relatives = [
            Relative(shown[each.id], each.recorded, each.held.events)
            for each in sorted(family, key=lambda each: (each.began, each.id))
        ]
        ids = {name: id for id, name in shown.items()}
        return {
            name: replace(
                found, contradictions=tuple(_in_log(one, ids) for one in found.contradictions)
            )
            for name, found in of_family(relatives).items()
        }


def _in_log(found: Contradiction, ids: dict[str, str]) -> Contradiction:
    """The evidence with the log's ids."""
    evidence = evidence_named(found.evidence, ids.__getitem__)
    return Contradiction(ids[found.conversation], tuple(evidence))

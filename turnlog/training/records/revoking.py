"""Revoking: which examples are about one person, as far as the log knows."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from turnlog.domain.whose import whose
from turnlog.engine.erasure.erased_ids import ErasedIds
from turnlog.engine.erasure.people import people_in, person_of
from turnlog.engine.log import Turnlog
from turnlog.errors import UnknownConversation, UnknownPerson
from turnlog.projections.persons import names_in
from turnlog.storage.lookups import commitment_of


class Revoked:
    """A person by any of their names, or a conversation without a person.

    Raises UnknownPerson for one whom the log neither knows nor has erased.
    """

    def __init__(self, log: Turnlog, name: str) -> None:
        self._log = log
        self._secret = log.store.reader.secret
        self._ids, conversations = person_of(log, self._id(name))
        nobodys = {name} if not people_in(log, name) and log.store.reader.stream(name) else set()
        self._conversations = nobodys.union(conversations)
        self._numbers = cache(self._theirs)
        self.erased = ErasedIds(log.store).holds(name)
        if not self._conversations and not self.erased:
            raise UnknownPerson(name)

    def has(self, conversation: str, first: int, last: int) -> bool:
        """Whether one of these events is about the person."""
        if conversation not in self._conversations:
            return False
        numbers = self._numbers(conversation)
        return any(number in numbers for number in range(first, last + 1))

    def _theirs(self, conversation: str) -> frozenset[int]:
        try:
            events = [*self._log.history(conversation).events()]
        except UnknownConversation:
            return frozenset()
        if not any(self._named(names_in(event)) for event in events):
            return frozenset(range(1, len(events) + 1))
        people = enumerate(whose(events), 1)
        return frozenset(number for number, about in people if self._named(about))

    def _named(self, names: Iterable[str]) -> bool:
        return any(self._id(name) in self._ids for name in names)

    def _id(self, name: str) -> str:
        return commitment_of(self._secret, name)

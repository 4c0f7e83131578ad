"""What a writer knows about commits that may be recorded again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec.structs import replace

from turnlog.domain.commit import Commit, RepeatKey
from turnlog.domain.streams import is_of_one_life
from turnlog.encoding.apart import Contents
from turnlog.projections.live_head import LiveHead
from turnlog.projections.tail import Tail
from turnlog.storage.lookups import message_lookup, repeat_lookup, repeat_lookups
from turnlog.storage.reader import Reader
from turnlog.storage.rows import Row

_AT_ONCE = 500
"""How many keys are looked up together."""


class KnownCommits(msgspec.Struct):
    """Commits by the keys and message ids that identify them: stored ones, and those of the batch.

    looks: whether the table of keys is read. If not, a key that is not in the tail is assumed to be
    new, and the log refuses the commit if it is not.
    """

    tail: Tail
    reader: Reader
    contents: Contents
    secret: bytes
    looks: bool
    looked: set[bytes] = set()
    commits: dict[bytes, list[Commit]] = {}

    def of(self, head: LiveHead, key: RepeatKey) -> list[Commit] | None:
        """The commits with a key, in any life of the conversation.

        Raises LookupError if they have to be looked up.
        """
        lookups = self.lookups(head, key)
        if self.looks:
            self.look_up(head, lookups)
        elif head.life > 1:
            raise LookupError("a key may be known")
        return next(filter(None, map(self._found, lookups)), None)

    def messages(self, head: LiveHead, ids: Sequence[str]) -> dict[str, Commit]:
        """The commits of user messages with these ids; raises as `of` does."""
        found: dict[str, Commit] = {}
        for id in ids:
            if self.looks or head.life > 1:
                known = self.of(head, RepeatKey(id, is_message=True))
            else:
                known = self._found(message_lookup(self.secret, head.conversation, id, head.life))
            if known:
                found[id] = known[0]
        return found

    def _found(self, lookup: bytes) -> list[Commit] | None:
        if not self.looks and lookup in self.tail.keys:
            raise LookupError("a key is known")  # the original commit must be read
        return self.commits.get(lookup)

    def lookups(self, head: LiveHead, key: RepeatKey) -> list[bytes]:
        """Its possible lookups, in the newest life first; a key of the log's own only there."""
        oldest = head.life if not key.is_message and is_of_one_life(key.text) else 1
        keys = (replace(key, life=life) for life in range(head.life, oldest - 1, -1))
        return [repeat_lookup(self.secret, head.conversation, key) for key in keys]

    def look_up(self, head: LiveHead, lookups: Iterable[bytes]) -> None:
        """Read the commits for those keys of a conversation that were not looked up yet."""
        asked = {lookup for lookup in lookups if lookup not in self.looked}
        self.looked |= asked
        if head.version or head.life > 1:
            self.read(asked)

    def read(self, asked: Iterable[bytes]) -> None:
        """The same for keys of several conversations."""
        asked = {*asked}
        self.looked |= asked
        for row in sorted(self._rows(asked), key=lambda row: row.position) if asked else ():
            commit = row.commit(self.contents)
            for lookup in asked.intersection(repeat_lookups(self.secret, commit)):
                self.commits.setdefault(lookup, [commit])

    def _rows(self, asked: Iterable[bytes]) -> Iterator[Row]:
        """From the tail and from the table."""
        rest: list[bytes] = []
        for lookup in asked:
            if (position := self.tail.keys.get(lookup)) is not None:
                yield from self.reader.tail(position - 1, 1)
            else:
                rest.append(lookup)
        for start in range(0, len(rest), _AT_ONCE):
            yield from self.reader.keyed_rows(rest[start : start + _AT_ONCE])

    def take(self, commit: Commit, head: LiveHead) -> list[bytes]:
        """The lookups of a commit: its keys and ids that no other commit has.

        head: the one it continues from. Its own key is new, or the commit would not be recorded.
        """
        lookups = repeat_lookups(self.secret, commit)
        if self.looks and lookups:
            self.look_up(head, lookups)
        commits = self.commits
        tail = () if self.looks else self.tail.keys  # what was looked up may be erased meanwhile
        new = []
        for lookup in lookups:
            if lookup not in commits and lookup not in tail:
                commits[lookup] = [commit]
                new.append(lookup)
        return new

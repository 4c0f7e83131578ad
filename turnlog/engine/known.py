"""What a writer knows of commits that may be asked for again."""

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
"""Keys that are looked up together."""


class KnownCommits(msgspec.Struct):
    """Commits by what they are known again by: stored ones, and those of a batch itself.

    looks: whether the table of keys is read. Else a key that is not in the tail is believed to be
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
        """Those that are known by a key, whatever life of the conversation they are of.

        Raises LookupError where they have to be looked up.
        """
        lookups = self.lookups(head, key)
        if self.looks:
            self.look_up(head, lookups)
        elif head.life > 1:
            raise LookupError("a key may be known")
        return next(filter(None, map(self._found, lookups)), None)

    def messages(self, head: LiveHead, ids: Sequence[str]) -> dict[str, Commit]:
        """The commits of the user's messages that are known by their ids; raises as `of` does."""
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
            raise LookupError("a key is known")  # what it was given with is read anew
        return self.commits.get(lookup)

    def lookups(self, head: LiveHead, key: RepeatKey) -> list[bytes]:
        """How it may be found, in the newest life first; a key of the log's own in that alone."""
        oldest = head.life if not key.is_message and is_of_one_life(key.text) else 1
        keys = (replace(key, life=life) for life in range(head.life, oldest - 1, -1))
        return [repeat_lookup(self.secret, head.conversation, key) for key in keys]

    def look_up(self, head: LiveHead, lookups: Iterable[bytes]) -> None:
        """Read the commits of keys of a conversation that were not looked up yet."""
        asked = {lookup for lookup in lookups if lookup not in self.looked}
        self.looked |= asked
        if head.version or head.life > 1:
            self.read(asked)

    def read(self, asked: Iterable[bytes]) -> None:
        """The same, of keys of several."""
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
        """How a commit will be found: by what no other is found by already.

        head: what it goes on from. A key of its own is new, or the commit would not be there.
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

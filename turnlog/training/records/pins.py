"""Pins: the examples that a manifest names, made again in their places from the log's present
state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from turnlog.engine.log import Turnlog
from turnlog.engine.shared_pasts import HeldPast
from turnlog.errors import FormatError
from turnlog.serializers.shared.codec import Example
from turnlog.training.records.manifest import Manifest, ManifestEntry, Revocation, digest_of
from turnlog.training.records.revoking import Revoked
from turnlog.training.select import PastConversation, Selection


class Pins:
    """gone: entries without such an example in the log; revoked: how many are omitted because they
    are about one person. Both are known once all files have been read.

    manifest: the SHA-256 of that.
    """

    def __init__(
        self, noted: Manifest, revoked: Revoked | None = None, *, manifest: str = ""
    ) -> None:
        self._plan = noted.plan
        self._manifest = manifest
        parts = {path.name: part for part, path in noted.plan.files(_whole(noted)).items()}
        self._entries: dict[str | None, dict[str, list[ManifestEntry]]] = {}
        for entry in noted.examples:
            of_part = self._entries.setdefault(parts[entry.file], {})
            of_part.setdefault(entry.conversation, []).append(entry)
        self._held = {id: HeldPast(*past) for id, past in noted.held.items()}
        self._revoked = revoked
        self.gone: list[ManifestEntry] = []
        self.revoked = 0
        self._kept = 0
        self._others = 0

    def conversations(self, log: Turnlog, part: str | None) -> Iterator[PastConversation]:
        """The conversations of a part in its order, each without what another one contained of it
        then.
        """
        selection = Selection(log, self._plan)
        for id, entries in self._entries.get(part, {}).items():
            found = selection.again(id, self._held.get(id))
            if found is None:
                self._leave(entries)
            else:
                yield found

    def beside(self, id: str) -> Sequence[str]:
        """The conversations whose events the manifest names as evidence for a conversation's
        examples.
        """
        of_parts = (entries.get(id, ()) for entries in self._entries.values())
        evidence = (x for entries in of_parts for entry in entries for x in entry.evidence)
        return [*dict.fromkeys(x.conversation for x in evidence if x.conversation)]

    def held(self, id: str) -> HeldPast | None:
        """The part of it that another conversation contained then; None if the manifest does not
        note it.
        """
        return self._held.get(id)

    def kept(self, part: str | None, id: str, made: Sequence[Example]) -> list[Example]:
        """Of a conversation's examples, those that the manifest names and that are not revoked."""
        entries = self._entries[part][id]
        wanted = Counter(entry.sha256 for entry in entries)
        kept = [(digest, x) for x in made if _take(wanted, digest := digest_of(x))]
        self._leave([entry for entry in entries if _take(wanted, entry.sha256)])
        self._kept += len(kept)
        self._others += not kept
        theirs = {entry.sha256 for entry in entries if self._shows(entry)}
        mine = [
            x
            for digest, x in kept
            if digest not in theirs and not self._has(id, (x.first_event, x.last_event))
        ]
        self.revoked += len(kept) - len(mine)
        return mine

    def check(self) -> None:
        """Raises FormatError if the log has other conversations under these ids."""
        erased = self._revoked is not None and self._revoked.erased
        if self._others and not self._kept and not erased:
            raise FormatError(
                "this log gives none of its examples; it comes from another log or another"
                " version of turnlog",
                field="manifest",
            )

    def revocation(self) -> Revocation:
        """The counts for the new manifest."""
        return Revocation(self._manifest, self.revoked, len(self.gone))

    def _leave(self, entries: Sequence[ManifestEntry]) -> None:
        theirs = [
            entry
            for entry in entries
            if self._has(entry.conversation, entry.events) or self._shows(entry)
        ]
        self.revoked += len(theirs)
        self.gone += [entry for entry in entries if entry not in theirs]

    def _shows(self, entry: ManifestEntry) -> bool:
        """Whether another conversation, which contributed an answer, is about the person."""
        there = ((x.conversation, (1, x.event)) for x in entry.evidence)
        return any(id is not None and self._has(id, events) for id, events in there)

    def _has(self, conversation: str, events: tuple[int, int]) -> bool:
        return self._revoked is not None and self._revoked.has(conversation, *events)


def _whole(noted: Manifest) -> Path:
    """The file of an export without parts."""
    return Path(next(iter(noted.files), "examples"))


def _take(wanted: Counter[str], digest: str) -> bool:
    """Whether one of these is left; removes it."""
    wanted[digest] -= 1
    return wanted[digest] >= 0

"""Names of conversations outside the log: their ids, or pseudonyms."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from turnlog.domain.judgements import Contradiction, PreferenceEvidence
from turnlog.engine.log import Turnlog
from turnlog.training.records import manifest
from turnlog.training.records.manifest import Manifest, ManifestEntry, Totals

_M = TypeVar("_M", bound=Totals)

Rename = Callable[[str], str]


class ExportedNames:
    """The pseudonym of an id is the same in all exports of a log and reveals nothing without its
    secret. Anyone with the log can find the id.
    """

    def __init__(self, log: Turnlog, *, pseudonyms: bool) -> None:
        self._log = log
        self._pseudonyms = pseudonyms

    def shown(self, id: str) -> str:
        """The name that files show for an id."""
        return pseudonym(self._log.store.reader.secret, id) if self._pseudonyms else id

    def known(self, name: str) -> str:
        """The id with that name; the name itself if the log has no such conversation."""
        return self.found(name) or name

    def found(self, name: str) -> str | None:
        """The same; None if the log does not have, and never had, such a conversation."""
        if self._pseudonyms:
            return self._ids.get(name)
        return name if name in self._log else None

    @cached_property
    def _ids(self) -> dict[str, str]:
        deleted = (recorded.conversation for recorded in self._log.deletions())
        return {self.shown(id): id for id in chain(self._log.ids(), deleted)}

    def outside(self, totals: Totals) -> Totals:
        """The events' conversations by the names in a manifest."""
        return _renamed(totals, self.shown) if self._pseudonyms else totals

    def _entry(self, entry: ManifestEntry) -> ManifestEntry:
        evidence = tuple(evidence_named(entry.evidence, self.known))
        return replace(entry, conversation=self.known(entry.conversation), evidence=evidence)

    def inside(self, noted: Manifest) -> Manifest:
        """A manifest with the log's ids."""
        if not self._pseudonyms:
            return noted
        ids = noted.query.ids
        query = replace(noted.query, ids=ids and sorted(map(self.known, ids)))
        examples = [*map(self._entry, noted.examples)]
        renamed: Manifest = replace(_renamed(noted, self.known), query=query, examples=examples)
        return renamed


def read(log: Turnlog, path: Path) -> Manifest:
    """A manifest with the log's ids, whatever names the file has.

    Raises FormatError for any other file, or one that a newer version wrote.
    """
    noted = manifest.read(path)
    return ExportedNames(log, pseudonyms=noted.options.pseudonyms).inside(noted)


def pseudonym(secret: bytes, id: str) -> str:
    """`c-` and 20 hexadecimal digits of an HMAC of the id."""
    digest = hmac.digest(secret, b"\x1fpseudonym " + id.encode("utf-8", "surrogatepass"), "sha256")
    return f"c-{digest[:10].hex()}"


def _renamed(totals: _M, rename: Rename) -> _M:
    def each(found: Iterable[Any], *fields: str) -> list[Any]:
        return [replace(x, **{f: _named(getattr(x, f), rename) for f in fields}) for x in found]

    def of_evidence(found: Iterable[Contradiction]) -> list[Contradiction]:
        renamed = each(found, "conversation")
        return [replace(x, evidence=tuple(evidence_named(x.evidence, rename))) for x in renamed]

    held = {rename(id): (n, by and rename(by)) for id, (n, by) in totals.held.items()}
    changed: _M = msgspec.structs.replace(
        totals,
        nothing=[*map(rename, totals.nothing)],
        shared={rename(id): turns for id, turns in totals.shared.items()},
        held=held,
        faulty=each(totals.faulty, "conversation"),
        refused=each(totals.refused, "conversation"),
        between=each(totals.between, "conversation", "near"),
        leaks=each(totals.leaks, "conversations"),
        contradictions=of_evidence(totals.contradictions),
    )
    return changed


def evidence_named(
    evidence: Iterable[PreferenceEvidence], rename: Rename
) -> Iterator[PreferenceEvidence]:
    """The entry with the conversations' other names."""
    return (replace(x, conversation=x.conversation and rename(x.conversation)) for x in evidence)


def _named(value: Any, rename: Rename) -> Any:
    return [*map(rename, value)] if isinstance(value, list) else rename(value)

"""Remaking: an old export once more, without one person's data."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError
from turnlog.files import sha256_of
from turnlog.training.card.card import Card
from turnlog.training.plan import ExportPlan
from turnlog.training.privacy.names import read
from turnlog.training.records import manifest
from turnlog.training.records.ledger import Ledger
from turnlog.training.records.manifest import Totals
from turnlog.training.records.pins import Pins
from turnlog.training.records.revoking import Revoked
from turnlog.training.running.run import Progress
from turnlog.training.write import export

_ADDED = "without"


def without(
    log: Turnlog,
    person: str,
    path: Path,
    out: Path | None = None,
    *,
    progress: Progress = lambda done: None,
    ledger: Ledger | None = None,
    card: Card | None = None,
) -> tuple[Totals, ExportPlan, Path]:
    """The examples of a manifest in their files and their order, except those of the person.

    What the log no longer gives, because it was erased, deleted or redacted since, is omitted too.
    out: None for a place next to the old one. Raises UnknownPerson, or FormatError for anything but
    a manifest of this log.
    """
    noted = read(log, path)
    pins = Pins(noted, Revoked(log, person), manifest=sha256_of(path))
    plan = replace(noted.plan, pinned=True, ids=None, where=None)
    out = out or _beside(path, noted)
    if out.absolute() == _place(path, noted).absolute():
        raise FormatError(
            "is the old export, which must stay unchanged; choose another place",
            file=str(out),
            field="--out",
        )
    totals = export(log, plan, out, progress=progress, ledger=ledger, pins=pins, card=card)
    return totals, plan, out


def _place(path: Path, noted: manifest.Manifest) -> Path:
    """The place of the old export: its folder, or its file."""
    if noted.options.split is not None:
        return path.parent
    return path.with_name(next(iter(noted.files)))


def _beside(path: Path, noted: manifest.Manifest) -> Path:
    """`chats.without.jsonl` for `chats.jsonl`, `data.without` for a folder `data`."""
    place = _place(path, noted)
    old = place if place.name else place.absolute()
    suffix = "" if noted.options.split is not None else old.suffix
    return old.with_name(f"{old.name.removesuffix(suffix)}.{_ADDED}{suffix}")

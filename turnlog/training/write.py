"""Writing: the examples of every part, their files and the manifest, all or none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from msgspec.structs import replace

from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError
from turnlog.files import is_stream, sha256_of
from turnlog.training.card.card import Card
from turnlog.training.plan import ExportPlan
from turnlog.training.records import manifest
from turnlog.training.records.ledger import Ledger
from turnlog.training.records.manifest import File, Totals
from turnlog.training.records.pins import Pins
from turnlog.training.running.journal import journal
from turnlog.training.running.processes import Pool
from turnlog.training.running.run import ExportRun, Progress
from turnlog.training.running.unfinished import unfinished


def export(
    log: Turnlog,
    plan: ExportPlan,
    out: Path,
    *,
    progress: Progress = lambda done: None,
    ledger: Ledger | None = None,
    pins: Pins | None = None,
    card: Card | None = None,
    pool: Pool | None = None,
) -> Totals:
    """Writes the files and the manifest; nothing if a conversation is faulty or a leak is
    forbidden.

    Then `faulty` or `leaks` names them and `files` is empty; with `skip_faulty` the faulty ones are
    named and the rest is written. `refused` names conversations with values that the format cannot
    hold; they prevent nothing. ledger: records the export before its files get their names. pins:
    the only examples to write if the plan is pinned. card: writes files that describe a folder.
    pool: processes that make the examples; parts, pins and chosen conversations use a single one.
    """
    _check(log, plan, out)
    files, folder = plan.files(out), None if plan.split is None else out
    beside = card.files(plan, out) if card else []
    note = manifest.place(out, folder=folder is not None) or Path(os.devnull)
    pool = None if plan.split or plan.ids else pool
    paths = [*files.values(), note, *beside]
    with unfinished(paths, folder=folder) as (opened, finish), journal(log, plan, out) as kept:
        run = ExportRun(log, plan, progress, pins=pins, card=card, pool=pool, journal=kept)
        id = None if ledger is None else ledger.export_id(plan)
        writer = manifest.ManifestWriter(opened[note], run.outside, id)
        _write_files(run, files, opened, writer)
        if (totals := run.close()).stop(plan):
            return replace(totals, files={})
        if card is not None:
            card.write(opened, plan, totals)
            totals.card = {path.name: _digest(opened[path]) for path in beside}
        writer.close(run.names.outside(totals))
        if ledger is not None:
            ledger.record(plan, run.streams, opened[note])
        finish()
    return totals


def _check(log: Turnlog, plan: ExportPlan, out: Path) -> None:
    last = log.store.reader.last_position()
    if not 0 <= plan.position <= last:
        why = f"position {plan.position} does not exist; the last is {last}"
        raise FormatError(why, field="--at-position")
    if plan.split is not None and is_stream(out):
        raise FormatError("must be a folder for an export with parts", file=str(out), field="--out")


def _write_files(
    run: ExportRun,
    files: Mapping[str | None, Path],
    opened: Mapping[Path, BinaryIO],
    writer: manifest.ManifestWriter,
) -> None:
    for name, path in files.items():
        examples = writer.noted(run.examples(name), path.name)
        run.codec.write(run.counted(examples), opened[path])
        run.totals.files[path.name] = _described(opened[path], run.written)


def _described(file: BinaryIO, examples: int) -> File:
    digest = _digest(file)
    return File(examples, Path(file.name).stat().st_size, digest)


def _digest(file: BinaryIO) -> str:
    """The SHA-256 of what has been written so far."""
    file.flush()
    return sha256_of(Path(file.name))

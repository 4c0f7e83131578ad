"""What `turnlog export` prints about what it wrote or skipped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from turnlog.cli import output
from turnlog.domain.amounts import amount

if TYPE_CHECKING:
    from turnlog.domain.judgements import Contradiction
    from turnlog.training.plan import ExportPlan
    from turnlog.training.records.manifest import Totals

SHOWN = 20
"""Conversations and kinds of loss that are named for people; the rest is counted."""


def tell(totals: Totals, plan: ExportPlan, out: Path) -> None:
    """Prints what was written, or why nothing was, and exits with the matching status."""
    from msgspec import to_builtins

    from turnlog.training.records.manifest import place

    stopped = totals.stop(plan)
    path = None if stopped else place(out, folder=plan.split is not None)
    manifest = None if path is None else str(path)
    examples = sum(file.examples for file in totals.files.values())
    written = amount(examples, "example")
    described: dict[str, Any] = {"examples": examples, "manifest": manifest}
    output.document(
        {**described, "position": plan.position, **to_builtins(totals)},
        human=lambda: (
            None if stopped else output.say(f"{written} in {out}, {_manifest_text(manifest)}")
        ),
    )
    _note_all(totals)
    if totals.faulty and not plan.skip_faulty:
        output.note("nothing is written; --json names them all, --skip-faulty leaves them out")
    elif stopped:
        helps = totals.leaking.get("user") and plan.by != "user"
        avoid = "--by user avoids leaks, " if helps else ""
        output.note(f"nothing is written; {avoid}--allow-leaks writes them")
    if stopped or (totals.refused and not plan.skip_faulty):
        raise typer.Exit(2)


def _manifest_text(manifest: str | None) -> str:
    return f"manifest {manifest}" if manifest else "no manifest, because the output is not a file"


def _contradiction(found: Contradiction) -> str:
    events = ", ".join(map(str, found.evidence))
    return f"conversation {found.conversation!r}: {events}"


def _note_all(totals: Totals) -> None:
    """Prints notes about the examples on stderr."""
    _some("must not be written", (str(fault) for fault in totals.faulty), len(totals.faulty))
    _some("refused", (str(fault) for fault in totals.refused), len(totals.refused))
    nothing = (f"conversation {id!r}" for id in totals.nothing)
    _some("the format can write nothing for", nothing, len(totals.nothing))
    for id, turns in list(totals.shared.items())[:SHOWN]:
        output.note(f"conversation {id!r}: {amount(turns, 'turn')} written with its origin")
    for what, count in totals.left_out.items():
        output.note(f"left out: {amount(count, 'event')}: {what}")
    lost = (f"{count:,} × {what}" for what, count in totals.lost.items())
    _some("the format cannot hold", lost, len(totals.lost))
    for what, count in totals.noted.items():
        output.note(f"{count:,} × {what}")
    against = (_contradiction(each) for each in totals.contradictions)
    _some("left out, the evidence contradicts itself", against, len(totals.contradictions))
    if (revoked := totals.revoked) is not None:
        output.note(f"left out: {amount(revoked.examples, 'example')} of the person")
        if revoked.gone:
            output.note(f"left out: {amount(revoked.gone, 'example')} that the log has since lost")
    _note_parts(totals)


def _note_parts(totals: Totals) -> None:
    if totals.together:
        where = "in the part of an earlier near-duplicate"
        output.note(f"{amount(totals.together, 'conversation')} {where}")
    between = (f"{x.conversation!r}, near {', '.join(map(repr, x.near))}" for x in totals.between)
    _some("left out, belongs in several parts", between, len(totals.between))
    for what, count in totals.leaking.items():
        leaks = (" and ".join(map(repr, x.conversations)) for x in totals.leaks if x.what == what)
        _some(f"in more than one part, the same {what}", leaks, count)


def _some(what: str, named: Iterable[str], count: int) -> None:
    for _, name in zip(range(SHOWN), named, strict=False):
        output.note(f"{what}: {name}")
    if count > SHOWN:
        output.note(f"{what}: {count - SHOWN:,} more; --json names all of them")

"""Rebuilds heads and read models, and finds the faults that a rebuild would hide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import asdict

from turnlog.audit.attachments import sweep
from turnlog.audit.fault import Fault, named
from turnlog.audit.verify import verify
from turnlog.domain.events import LogRebuilt
from turnlog.engine.log import Turnlog
from turnlog.engine.upkeep import record
from turnlog.projections import PROJECTIONS
from turnlog.projections.projection import rebuild as rebuild_one
from turnlog.projections.rebuilding import rebuild_heads
from turnlog.projections.tree import TREE
from turnlog.storage.reader import Scan
from turnlog.storage.recorder import Recorder
from turnlog.storage.rows import HEADS, Checkpoint, Head

_KEPT_FAULTS = 100
_NEWEST = 2**62


def faults_of(recorder: Recorder) -> tuple[list[Fault], list[Fault]]:
    """All faults, and those that a rebuild would hide: heads that are ahead of the rows."""
    with recorder.scan() as scan:
        ahead = list(_ahead(scan))
    return verify(recorder).faults, ahead


def _ahead(scan: Scan) -> Iterator[Fault]:
    for head in scan.every(Head):
        if not isinstance(head.conversation, str):
            continue
        newest = scan.rows(head.stream, head.version - 1, head.version)
        if not newest:
            last = scan.rows_newest_first(head.stream, _NEWEST, 1)
            end = last[0].version if last else 0
            what = f"the head is at version {head.version}, the rows end at {end}"
            yield Fault(named(head.conversation), None, what)
        elif newest[0].digest() != head.digest:
            what = f"version {head.version} is not the row that its head was written with"
            yield Fault(named(head.conversation), None, what)
    checkpoints = list(scan.every(Checkpoint))
    with scan.at_once() as now:
        end = now.last_position()
    derived = (*PROJECTIONS, TREE.name, HEADS)
    for found in checkpoints:
        if found.digest is not None and found.model in derived and found.position > end:
            what = f"{found.model} is at position {found.position}, the log ends at {end}"
            yield Fault(None, None, what)


def rebuild(recorder: Recorder) -> dict[str, int]:
    """Makes heads and read models again; the number of commits in each.

    Drops attachments that no event names.
    """
    with recorder.transaction() as transaction:
        sweep(transaction)
    done = {"heads": rebuild_heads(recorder)}
    for name, projection in PROJECTIONS.items():
        done[name] = rebuild_one(recorder, projection)
    if recorder.reader.checkpoint(TREE.name) is not None:  # otherwise it was never used
        done[TREE.name] = rebuild_one(recorder, TREE)
    return done


def record_rebuild(log: Turnlog, faults: Sequence[Fault], actor: str) -> None:
    """Records the rebuild in the log's own stream: who did it, and the faults found before."""
    found = [asdict(fault) for fault in faults[:_KEPT_FAULTS]]
    record(log, LogRebuilt(found, len(faults), actor=actor))

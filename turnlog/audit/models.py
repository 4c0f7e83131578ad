"""Verifies read models by making them again from the log, each up to its own position."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from turnlog.audit.chain import same_state
from turnlog.audit.fault import Fault, Report, named
from turnlog.encoding import binary
from turnlog.errors import StorageError, TurnlogError
from turnlog.projections.projection import AnyProjection, projected
from turnlog.storage.checkpoints import ALL, over
from turnlog.storage.copying import END
from turnlog.storage.high_water import HighWater
from turnlog.storage.private_folder import PrivateFolder
from turnlog.storage.reader import Reader, Scan
from turnlog.storage.rows import HEADS, Checkpoint, Entry, Row, has_types
from turnlog.storage.sqlite import SqliteRecorder
from turnlog.storage.subscription import batches

_UNKNOWN = "no projection of this turnlog makes it, so it cannot be checked"


def check(scan: Scan, projections: Mapping[str, AnyProjection], report: Report) -> None:
    """Reports the faults of every checkpoint and of every entry of every model."""
    whole = check_checkpoints(scan, report, projections)
    with PrivateFolder() as folder:
        scratch = SqliteRecorder(str(Path(folder, "models.db")), synchronous="OFF")
        try:
            remade = {name: found.position for name, found in whole.items() if name in projections}
            for name, upto in remade.items():
                _make_again(scan, scratch, projections[name], 0, upto, report)
            if suspects := list(_suspects(scan, scratch, remade)):
                _look_again(scan, scratch, projections, remade, suspects, report)
        finally:
            scratch.close()


def check_checkpoints(
    scan: Scan, report: Report, projections: Collection[str] = ()
) -> dict[Any, Checkpoint]:
    """The valid checkpoints of projections; reports the faults of the others."""
    written_together = scan.checkpoints()  # in one statement: others keep writing
    checkpoints: dict[Any, Checkpoint] = {c.model: c for c in written_together}
    _check_over_all(checkpoints, report)
    return {
        name: found
        for name, found in checkpoints.items()
        if name != ALL and _check_one(scan, found, report, known=name in (*projections, HEADS))
    }


def _check_over_all(checkpoints: Mapping[Any, Checkpoint], report: Report) -> None:
    if not checkpoints:
        return
    readable = all(map(has_types, checkpoints.values()))
    if not readable or checkpoints.get(ALL) != over(checkpoints.values()):
        report(Fault(None, None, "the checkpoints were not written together"))


def _check_one(scan: Scan, checkpoint: Checkpoint, report: Report, *, known: bool) -> bool:
    """Whether the checkpoint matches a row of the log and belongs to a projection."""
    if checkpoint.digest is None and not known:  # eventsourcing's tracking of another application
        return False
    row = _row_at(scan, checkpoint.position)
    if row is None:
        what = f"is at position {checkpoint.position!r}, where the log has no row"
        report(Fault(None, None, f"{checkpoint.model!r} {what}: its tail was cut"))
        return False
    if checkpoint.model == END:
        return _check_end(scan, checkpoint, report)
    if _digest(row) != checkpoint.digest:
        what = f"{checkpoint.model!r} has seen another row at position {checkpoint.position}"
        report(Fault(named(row.conversation), None, what))
    return True


def _check_end(scan: Scan, checkpoint: Checkpoint, report: Report) -> bool:
    """Checks a backup's own end, which covers the rows that its heads do not."""
    heads = scan.checkpoint(HEADS)
    since = heads.position if heads is not None and has_types(heads) else 0
    if since >= checkpoint.position:
        return True
    mark = HighWater(checkpoint.position, checkpoint.digest or b"", since)
    if (what := mark.missed(scan)) is not None:
        report(Fault(None, None, what))
    return True


def _row_at(scan: Scan, position: Any) -> Row | None:
    if not isinstance(position, int) or not 0 < position < 2**63:
        return None
    rows = scan.tail(position - 1, 1)
    return rows[0] if rows and rows[0].position == position else None


def _digest(row: Row) -> bytes | None:
    try:
        return row.digest()
    except (TypeError, ValueError, OverflowError, AttributeError, StorageError):
        return None


def _make_again(
    scan: Scan,
    scratch: SqliteRecorder,
    projection: AnyProjection,
    after: int,
    upto: int,
    report: Report,
) -> None:
    """Projects the log's rows between two positions into the scratch database."""
    for rows in batches(scan, after, upto):
        try:
            with scratch.transaction() as transaction:
                buffer = projected(rows, projection, transaction, scan)
                transaction.put(projection.name, buffer.encoded())
        except Exception as error:  # changed rows can break a projection in any way
            why = str(error) if isinstance(error, TurnlogError) else "its rows were changed"
            what = f"projection {projection.name!r} cannot be made again: {why}"
            report(Fault(named(rows[0].conversation), None, what))
            return


def _suspects(scan: Scan, scratch: SqliteRecorder, remade: Collection[str]) -> Iterator[Entry]:
    """Entries that differ between the stored and the new read models."""
    unknown: set[Any] = set()
    for entry in scan.every(Entry):
        if entry.model in remade:
            if not _is_same(entry.value, _got(scratch.reader, entry)):
                yield entry
        elif entry.model not in unknown:
            unknown.add(entry.model)
            yield entry
    with scratch.scan() as made_again:
        for entry in made_again.every(Entry):
            if _got(scan, entry) is None:
                yield entry


def _look_again(
    scan: Scan,
    scratch: SqliteRecorder,
    projections: Mapping[str, AnyProjection],
    remade: Mapping[str, int],
    suspects: Sequence[Entry],
    report: Report,
) -> None:
    """Reports which suspects are faults at one moment: the read model may have advanced."""
    with scan.at_once() as now:
        checkpoints = {found.model: found.position for found in now.every(Checkpoint)}
        stored = [_got(now, entry, entry.value) for entry in suspects]
    for name, after in remade.items():
        _make_again(scan, scratch, projections[name], after, checkpoints.get(name, 0), report)
    for entry, value in zip(suspects, stored, strict=True):
        due = _got(scratch.reader, entry)
        if entry.model in remade:
            if not _is_same(value, due):
                what = "is missing" if value is None else "does not follow from the events"
                report(_about(entry, what))
        elif entry.model not in projections or entry.model not in checkpoints:
            what = _UNKNOWN if entry.model in checkpoints else "it has entries, but no checkpoint"
            report(Fault(named(entry.conversation), None, f"projection {entry.model!r}: {what}"))


def _got(reader: Reader, entry: Entry, otherwise: bytes | None = None) -> bytes | None:
    """The stored value of an entry; `otherwise` if its key has the wrong type."""
    if not all(isinstance(name, str) for name in entry[:3]):
        return otherwise
    return reader.get(entry.model, entry.conversation, entry.key)


def _is_same(stored: Any, remade: bytes | None) -> bool:
    """Whether two values are equal; a state that an older version stored may be shorter."""
    if stored == remade:
        return True
    try:
        held, state = binary.decode(stored), binary.decode(remade or b"")
        return same_state(held, binary.decode_state(state))
    except StorageError:
        return False


def _about(entry: Entry, what: str) -> Fault:
    event = int(entry.key) if isinstance(entry.key, str) and entry.key.isdecimal() else None
    where = f"entry {entry.key!r} of projection {entry.model!r}"
    return Fault(named(entry.conversation), event, f"{where} {what}")

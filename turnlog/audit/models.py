"""Read models checked by making them again from the log, up to where each has come."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from turnlog.audit.chain import same_state
from turnlog.audit.fault import Fault, Tell, named
from turnlog.encoding import binary
from turnlog.errors import StorageError
from turnlog.projections.projection import Projection, projected
from turnlog.storage.checkpoints import ALL, over
from turnlog.storage.recorder import Scan
from turnlog.storage.rows import HEADS, Checkpoint, Entry, Row, has_types
from turnlog.storage.sqlite import SqliteRecorder
from turnlog.storage.subscription import batches

_UNKNOWN = "no projection of this turnlog makes it, so that it cannot be checked"


def check(scan: Scan, projections: Mapping[str, Projection], tell: Tell) -> None:
    """Tell the faults of every checkpoint and of every entry of every model."""
    checkpoints: dict[Any, Checkpoint] = {c.model: c for c in scan.every(Checkpoint)}
    _check_over_all(checkpoints, tell)
    whole = {
        name: found
        for name, found in checkpoints.items()
        if name != ALL and _check_one(scan, found, tell, known=name in (*projections, HEADS))
    }
    with tempfile.TemporaryDirectory(prefix="turnlog-verify-") as folder:
        scratch = SqliteRecorder(str(Path(folder, "models.db")), synchronous="OFF")
        try:
            for name, found in whole.items():
                if name in projections:
                    _make_again(scan, scratch, projections[name], found.position, tell)
            _compare(scan, scratch, set(whole) & set(projections), set(checkpoints), tell)
        finally:
            scratch.close()


def _check_over_all(checkpoints: Mapping[Any, Checkpoint], tell: Tell) -> None:
    if not checkpoints:
        return
    readable = all(map(has_types, checkpoints.values()))
    if not readable or checkpoints.get(ALL) != over(checkpoints.values()):
        tell(Fault(None, None, "the checkpoints are not those that were written together"))


def _check_one(scan: Scan, checkpoint: Checkpoint, tell: Tell, *, known: bool) -> bool:
    """Whether the checkpoint says how far a projection of this log has come."""
    if checkpoint.digest is None and not known:  # eventsourcing's tracking of another application
        return False
    row = _row_at(scan, checkpoint.position)
    if row is None:
        what = f"stands at position {checkpoint.position!r}, where the log has no row"
        tell(Fault(None, None, f"{checkpoint.model!r} {what}: its tail was cut"))
        return False
    if _digest(row) != checkpoint.digest:
        what = f"{checkpoint.model!r} has seen another row at position {checkpoint.position}"
        tell(Fault(named(row.conversation), None, what))
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
    scan: Scan, scratch: SqliteRecorder, projection: Projection, upto: int, tell: Tell
) -> None:
    """Project the log's rows up to a position into the scratch database."""
    for rows in batches(scan, upto=upto):
        try:
            with scratch.transaction() as transaction:
                buffer = projected(rows, projection, transaction, scan)
                transaction.put(projection.name, buffer.encoded())
        except Exception as error:  # rows that somebody changed can do anything to a projection
            what = f"projection {projection.name!r} cannot be made again: {error}"
            tell(Fault(named(rows[0].conversation), None, what))
            return


def _compare(
    scan: Scan,
    scratch: SqliteRecorder,
    remade: Collection[str],
    marked: Collection[Any],
    tell: Tell,
) -> None:
    """Every stored entry is one that was made again, and the other way round."""
    reader = scratch.reader
    unknown: set[Any] = set()
    for entry in scan.every(Entry):
        if entry.model in remade:
            if not _is_same(entry.value, _got(reader, entry)):
                tell(_about(entry, "is not what the events give"))
        elif entry.model not in unknown:
            unknown.add(entry.model)
            what = _UNKNOWN if entry.model in marked else "it has entries, but no checkpoint"
            tell(Fault(named(entry.conversation), None, f"projection {entry.model!r}: {what}"))
    with scratch.scan() as made_again:
        for entry in made_again.every(Entry):
            if scan.get(entry.model, entry.conversation, entry.key) is None:
                tell(_about(entry, "is gone"))


def _got(reader: Any, entry: Entry) -> bytes | None:
    if not isinstance(entry.conversation, str) or not isinstance(entry.key, str):
        return None
    value: bytes | None = reader.get(entry.model, entry.conversation, entry.key)
    return value


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

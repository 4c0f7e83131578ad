"""Whether a log is whole: its chain, and that heads, snapshots and read models follow from it.

What is found: a row of any table that was changed, removed, exchanged or put in; a tail that was
cut, as long as something derived from it still stands. What is not: a log that was cut back
together with all that is derived from it, or made anew. That takes heads signed and kept outside
the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain as chained
from itertools import groupby
from typing import Any

import msgspec

from turnlog.audit import chain, models
from turnlog.audit.fault import Fault, named
from turnlog.domain.streams import is_conversation
from turnlog.errors import StorageError, UnknownConversation
from turnlog.projections import PROJECTIONS
from turnlog.projections.projection import Projection
from turnlog.storage.recorder import Recorder, Scan
from turnlog.storage.rows import Head, Row, Snapshot

ROWS_AT_ONCE = 500
"""Rows of a table that are read together."""

_FIRST = -(2**62)


class Verification(msgspec.Struct):
    """What was found; conversations and their events that were gone through are counted."""

    ok: bool = True
    conversations: int = 0
    events: int = 0
    faults: list[Fault] = []

    def tell(self, fault: Fault) -> None:
        self.ok = False
        self.faults.append(fault)


def verify(
    recorder: Recorder,
    conversations: Iterable[str] | None = None,
    *,
    projections: Mapping[str, Projection] = PROJECTIONS,
) -> Verification:
    """Check the whole log, or the rows, heads and snapshots of the conversations named.

    Reads the log as it stands when it begins, one conversation at a time. Whatever is stored, a
    fault is told, not raised.
    """
    verification = Verification()
    with recorder.scan() as scan:
        try:
            if conversations is None:
                _check_all(scan, projections, verification)
            else:
                for name in conversations:
                    _check_known(scan, name)
                    _check_one(scan, name, _rows(scan, name), verification)
        except StorageError as error:
            verification.tell(Fault(None, None, str(error)))
    return verification


def _check_all(
    scan: Scan, projections: Mapping[str, Projection], verification: Verification
) -> None:
    for complaint in scan.complaints():
        verification.tell(Fault(None, None, complaint))
    rows = 0
    for name, group in groupby(scan.every(Row), key=lambda row: row.conversation):
        counted = _Counted(group)
        _check_one(scan, name, counted, verification)
        rows += counted.number
    if rows != scan.last_position():
        what = f"the log's last position is {scan.last_position()}, but it has {rows} rows"
        verification.tell(Fault(None, None, what))
    _check_orphans(scan, verification)
    models.check(scan, projections, verification.tell)


def _check_one(scan: Scan, name: str, rows: Iterable[Row], verification: Verification) -> None:
    events = chain.check(name, rows, scan, verification.tell)
    if not isinstance(name, str) or is_conversation(name):
        verification.conversations += 1
        verification.events += events


def _check_known(scan: Scan, name: str) -> None:
    if scan.head(name) is None and not scan.rows(name, _FIRST, None, 1):
        raise UnknownConversation(name)


def _check_orphans(scan: Scan, verification: Verification) -> None:
    """Heads and snapshots of conversations that have no rows."""
    heads = (("heads", head.conversation) for head in scan.every(Head))
    snapshots = (("snapshots", snapshot.conversation) for snapshot in scan.every(Snapshot))
    for (table, name), _ in groupby(chained(heads, snapshots)):
        if not isinstance(name, str) or not scan.rows(name, _FIRST, None, 1):
            what = f"it has {table}, but no rows: they were cut off"
            verification.tell(Fault(named(name), None, what))


def _rows(scan: Scan, name: str) -> Iterator[Row]:
    after = _FIRST
    while rows := scan.rows(name, after, None, ROWS_AT_ONCE):
        yield from rows
        after = rows[-1].version


class _Counted:
    """Rows as they come, and how many came."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = rows
        self.number = 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.number += 1
            yield row

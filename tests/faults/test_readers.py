"""Readers in other processes see everything acknowledged, in order, and never go back."""

from __future__ import annotations

from pathlib import Path

import turnlog
from tests.faults.conftest import LONG, Start
from turnlog.audit.verify import verify

WRITERS = 2
TURNS = 1000 if LONG else 60
BEHIND = 7
"""Rows after which a writer updates the tables: readers meet that at every moment."""


def test_every_read_has_the_events_acknowledged_before(
    durable_url: str, tmp_path: Path, start: Start
) -> None:
    turnlog.open(durable_url).close()
    acknowledged = tmp_path / "acknowledged"
    acknowledged.write_bytes(bytes(4 * WRITERS))
    readers = [start("read", durable_url, how, acknowledged, TURNS) for how in ("open", "readonly")]
    writers = [
        start("written", durable_url, number, TURNS, BEHIND, acknowledged)
        for number in range(WRITERS)
    ]
    for process in (*writers, *readers):
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors.decode()
    with turnlog.open(durable_url) as log:
        assert verify(log.store).faults == []

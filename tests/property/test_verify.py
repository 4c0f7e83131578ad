"""Verify raises no false alarm over any recording, projecting, rebuilding, backup or deletion."""

from __future__ import annotations

from contextlib import suppress
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

import turnlog
from turnlog.audit.verify import verify
from turnlog.domain import events as e
from turnlog.errors import ConversationError
from turnlog.projections import PROJECTIONS, live_head
from turnlog.projections.projection import catch_up, rebuild
from turnlog.testing.strategies import histories, scraps

steps = st.one_of(
    st.tuples(st.sampled_from(["a", "b", "c"]), histories),
    st.tuples(st.sampled_from(["a", "b", "c"]), scraps().map(lambda d: list(d.events))),
    st.sampled_from(["catch up", "rebuild", "delete"]),
)


@settings(max_examples=60)
@given(st.lists(steps, max_size=12), st.integers(1, 20))
def test_an_untouched_log_has_no_fault(done: list[object], every: int) -> None:
    with (
        patch.object(live_head, "SNAPSHOT_EVERY", every),
        turnlog.open("memory:", clock=lambda: 1000.0) as log,
    ):
        for step in done:
            _do(log, step)
        found = verify(log.store)
        assert found.faults == []
        assert found.events == sum(
            len(row.commit().events) for row in log.store.reader.tail(0, 10_000)
        )


def _do(log: turnlog.Turnlog, step: object) -> None:
    if isinstance(step, tuple):
        for event in step[1]:
            _record(log, step[0], event)
    elif step == "catch up":
        catch_up(log.store, PROJECTIONS.values(), batch=3)
    elif step == "rebuild":
        rebuild(log.store, PROJECTIONS["slots"], batch=2)
    elif "a" in log:
        log.delete("a")


def _record(log: turnlog.Turnlog, id: str, event: e.Event) -> None:
    with suppress(ConversationError):  # a refused commit leaves nothing
        log.record(id, event)

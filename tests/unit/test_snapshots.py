"""Snapshots are never far apart in a long conversation, however it was written."""

from __future__ import annotations

from itertools import pairwise

import pytest

import turnlog
from tests.stored import snapshots_of
from turnlog import BotUttered, Dialogue, SlotSet, UserUttered
from turnlog.domain.fold import replay
from turnlog.encoding import binary
from turnlog.projections.live_head import SNAPSHOT_EVERY

TURNS = 1000
EVENTS = tuple(
    event
    for n in range(TURNS)
    for event in (UserUttered(f"{n}"), SlotSet("n", n), BotUttered(f"{n}!"))
)


@pytest.mark.parametrize("way", ["one by one", "in groups", "imported"])
def test_no_event_is_far_from_a_snapshot(way: str) -> None:
    with turnlog.open("memory:") as log:
        if way == "imported":
            log.import_dialogue(Dialogue("alice", EVENTS))
        for n in range(0, 0 if way == "imported" else len(EVENTS), 3):
            log.writer.submit(log.request("alice", EVENTS[n : n + 3]))
            if way == "one by one" or n % 200 == 0:
                log.writer.flush()
        log.writer.flush()
        log.current.catch_up()
        snapshots = snapshots_of(log.store.reader, "alice")
        numbers = [0, *(snapshot.event for snapshot in snapshots), len(EVENTS)]
        apart = [later - earlier for earlier, later in pairwise(numbers)]
        assert max(apart) < SNAPSHOT_EVERY + 256
        assert [snapshot.previous for snapshot in snapshots] == numbers[:-2]
        head = log.store.reader.head("alice")
        assert head is not None
        assert head.snapshot == numbers[-2]
        for snapshot in snapshots:
            state = binary.decode_state(snapshot.state)
            assert state == replay(log.history("alice").events(upto=snapshot.event))
        assert log.conversation("alice", turn=TURNS // 2).slots == {"n": TURNS // 2 - 1}

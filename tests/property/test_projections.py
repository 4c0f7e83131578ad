"""Read models contain the same when rebuilt, live, and in batches of any size."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import turnlog
from tests.property.test_laws import asks
from turnlog import Turnlog
from turnlog.domain import events as e
from turnlog.domain.rewinds import kept, taken_back
from turnlog.domain.traits import Rewind
from turnlog.projections import PROJECTIONS
from turnlog.projections.projection import catch_up, rebuild
from turnlog.projections.rebuilding import rebuild_heads
from turnlog.projections.slot_history import changes
from turnlog.projections.transcript import messages

numbers = st.integers(1, 12)
keys = st.sampled_from(["k", "l"])
about = st.one_of(
    st.builds(e.MessageRedacted, numbers),
    st.builds(e.MessageEdited, numbers, st.text(max_size=3)),
    st.builds(e.MessageRegenerated, numbers, st.text(max_size=3)),
    st.builds(e.ValueSet, keys, st.integers(0, 3), st.none() | keys),
    st.builds(e.ValueAppended, keys, st.just([1]), st.integers(0, 2)),
    st.builds(e.ValueRemoved, keys),
    st.just(e.ValuesCleared(("k",))),
)
tokens = st.sampled_from(["1", "2"])
timed = st.one_of(
    st.builds(e.ThreadStarted, st.just("u"), st.just("s")),
    st.builds(e.PromptArmed, tokens, st.none() | st.floats(0, 9)),
    st.builds(e.PromptTimedOut, tokens),
    st.builds(e.PromptCancelled, tokens),
    st.just(e.ThreadEnded()),
    st.builds(e.BotUttered, st.text(max_size=3), actor=st.sampled_from([None, "timer"])),
    st.builds(e.DeliverySucceeded, numbers),
    st.builds(e.DeliveryFailed, numbers),
)
ids = st.sampled_from(["alice", "bob", "\x00"])
recordings = st.lists(
    st.tuples(ids, st.lists(asks | about | timed, min_size=1, max_size=4)), max_size=12
)


def record(log: Turnlog, id: str, events: list[e.Event]) -> None:
    try:
        log.record(id, *events)
    except turnlog.errors.InvalidEvent:
        """An edit of an unknown message: nothing is recorded."""


def contents(log: Turnlog) -> dict[str, Any]:
    reader = log.store.reader
    return {name: list(reader.entries(name)) for name in PROJECTIONS}


def heads(log: Turnlog) -> list[Any]:
    return list(log.store.reader.heads())


@given(recordings, st.sets(ids), st.integers(1, 5), st.data())
def test_a_rebuilt_read_model_equals_the_live_one(recordings, deleted, batch, data) -> None:
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        for id, events in recordings:
            record(log, id, events)
            if data.draw(st.booleans()):
                catch_up(log.store, PROJECTIONS.values(), batch)
        for id in deleted:
            if id in log:
                log.delete(id)
        catch_up(log.store, PROJECTIONS.values(), batch)
        log.current.catch_up()
        live, before = contents(log), heads(log)
        for projection in PROJECTIONS.values():
            rebuild(log.store, projection)
        rebuild_heads(log.store, batch)
        assert contents(log) == live
        assert heads(log) == before
        hiding = (model for name, model in live.items() if name != "persons")  # which finds all
        assert not any(id in deleted for model in hiding for id, _, _ in model)


@given(recordings)
def test_the_changes_of_slots_lead_to_the_current_slots(recordings) -> None:
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        for id, events in recordings:
            record(log, id, events)
        view = log.view("slots")
        for id in log.ids():
            slots: dict[str, Any] = {}
            for entry in changes(view, id):
                for name, (before, after) in entry["slots"].items():
                    assert slots.get(name) == before
                    slots[name] = after
                held = log.conversation(id, event=entry["event"])
                assert held.slots == {k: v for k, v in slots.items() if v is not None}
            assert log.conversation(id).slots == {k: v for k, v in slots.items() if v is not None}


@given(recordings)
def test_a_transcript_has_every_message_once_in_order(recordings) -> None:
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        for id, events in recordings:
            record(log, id, events)
        view = log.view("transcript")
        for id in log.ids():
            events = list(log.conversation(id).events())
            said = [n for n, event in enumerate(events, 1) if isinstance(event, SPOKEN)]
            assert [message["event"] for message in messages(view, id)] == said


@given(st.lists(asks | st.builds(e.HistoryReplaced, st.integers(0, 9)), max_size=30))
def test_every_event_counts_or_is_retracted_by_a_rewind_that_counts(asked) -> None:
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        for event in asked:
            record(log, "c", [event])
        numbered = list(enumerate(log.history("c").events(), 1))
        taken = taken_back(event for _, event in numbered)
        standing = {n for n, event in numbered if isinstance(event, Rewind)} - set(taken)
        rest = {number for number, _ in kept(reversed(numbered))}
        assert set(taken.values()) <= standing
        assert sorted([*taken, *standing, *rest]) == [number for number, _ in numbered]


SPOKEN = (e.UserUttered, e.BotUttered)

"""Folding in pieces, from any state on, equals a full replay; a model copies every state."""

from __future__ import annotations

from itertools import pairwise
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import turnlog
from tests.property.test_laws import histories, raw, recorded, sizes
from tests.stored import snapshots_of
from turnlog import Turnlog
from turnlog.audit.verify import verify
from turnlog.domain import events as e
from turnlog.domain.apply import REWRITES, advance, beginning, go_back, go_on
from turnlog.domain.context import Context
from turnlog.domain.effects.messages import rewrite
from turnlog.domain.fold import At, Fold, _Notes, apply, fold, no_past, replay
from turnlog.domain.history import GrowingHistory, NoHistory, past
from turnlog.domain.rewinds import counting, goes_behind
from turnlog.domain.state import State, copy_context
from turnlog.domain.traits import Rewind
from turnlog.projections import live_head
from turnlog.projections.rebuilding import rebuild_heads

decided = histories.map(lambda asked: raw(recorded(asked, [1])))
"""The events recorded when a conversation is asked for these."""


def copied(events: list[e.Event]) -> list[State]:
    """The state after every event, the initial one first, each copied."""
    state = State()
    after = [state.copy()]
    for number, event in enumerate(events, 1):
        advance(state, iter((event,)))
        if isinstance(event, Rewind):
            assert event.to is not None
            to = beginning(state) if event.to == 0 else after[event.to].context
            go_on(state, event)
            go_back(state, event, rewritten(to, events[event.to : number - 1]))
        after.append(state.copy())
    return after


def rewritten(context: Context, events: list[e.Event]) -> Context:
    changed = copy_context(context)
    for event in events:
        if type(event) in REWRITES:
            rewrite(changed, event)  # type: ignore[arg-type]  # a rewrite
    return changed


def known(events: list[e.Event]) -> At:
    """The states that these events can go back to, from the model."""
    after = copied(events)
    return lambda number: rewritten(after[number].context, events[number:])


def goes_back_before_cut(events: list[e.Event], cut: int) -> bool:
    """Whether the events after a cut go back to before it, and nothing later undoes that."""
    rewinds = [
        (number, event.to or 0)
        for number, event in enumerate(events, 1)
        if number > cut and isinstance(event, Rewind)
    ]
    return any(0 < to < cut for _, to in counting(rewinds))


@pytest.mark.parametrize(
    "holds",
    [
        lambda events: any(goes_back_before_cut(events, cut) for cut in range(len(events))),
        lambda events: any(  # a rewind of a rewind
            isinstance(event, Rewind) and any(isinstance(x, Rewind) for x in events[event.to : n])
            for n, event in enumerate(events)
        ),
        lambda events: any(  # an edit between, of a message that counts again
            isinstance(event, Rewind) and event.to and known(events[:n])(event.to) != at.context
            for n, event in enumerate(events)
            for at in [copied(events)[event.to or 0] if isinstance(event, Rewind) else State()]
        ),
    ],
)
def test_the_histories_cover_the_cases_of_the_laws(holds: Any) -> None:
    find(decided, holds, settings=settings(phases=[Phase.generate], max_examples=5_000))


@settings(max_examples=50)
@given(decided)
def test_a_replay_equals_the_model(events: list[e.Event]) -> None:
    for number, state in enumerate(copied(events)):
        assert replay(events[:number]) == state
        assert fold(State(), events[:number]) == state


@settings(max_examples=50)
@given(decided)
def test_continuing_from_any_state_equals_a_full_replay(events: list[e.Event]) -> None:
    after = copied(events)
    for cut in range(len(events) + 1):
        at = known(events[:cut])
        assert fold(after[cut].copy(), events[cut:], at) == after[-1]
        for end in range(cut, len(events) + 1):
            assert fold(after[cut].copy(), events[cut:end], at) == after[end]


@settings(max_examples=50)
@given(decided)
def test_a_fold_that_needs_the_past_says_so(events: list[e.Event]) -> None:
    after = copied(events)
    for cut in range(len(events) + 1):
        if goes_back_before_cut(events, cut):
            with pytest.raises(LookupError, match="pass `at`"):
                fold(after[cut].copy(), events[cut:])
        else:
            assert fold(after[cut].copy(), events[cut:]) == after[-1]


@given(decided, sizes, st.integers(0, 60))
def test_pieces_of_any_size_give_every_state(
    events: list[e.Event], chosen: list[int], start: int
) -> None:
    after = copied(events)
    start = min(start, len(events))
    folded = Fold(lambda: events, after[start].copy())
    ends = [start]
    while ends[-1] < len(events):
        ends.append(min(ends[-1] + chosen[len(ends) % len(chosen)], len(events)))
    for one, other in pairwise(ends):
        assert folded.take(iter(events[one:other])) == after[other]


@given(decided, sizes)
def test_a_fold_of_growing_events_reads_them_again(
    events: list[e.Event], chosen: list[int]
) -> None:
    after = copied(events)
    there: list[e.Event] = []
    folded = Fold(lambda: there)
    while len(there) < len(events):
        new = events[len(there) : len(there) + chosen[len(there) % len(chosen)]]
        there += new
        assert folded.take(new) == after[len(there)]


@settings(max_examples=50)
@given(decided)
def test_the_past_is_read_at_the_target_of_a_rewind(events: list[e.Event]) -> None:
    for cut in range(len(events) + 1):
        state = replay(events[:cut])
        at, model = past(GrowingHistory(NoHistory(), State(), events), state), known(events[:cut])
        for number in range(1, cut + 1):
            assert at(number) == model(number)


@settings(max_examples=50)
@given(decided)
def test_a_context_is_kept_until_its_last_use(events: list[e.Event]) -> None:
    notes = _Notes(events, 0, no_past)
    notes.fold(State(), iter(events))
    assert not notes._kept
    notes = _Notes(events, 0, no_past)
    notes.keep_counting()
    state, rest = State(), iter(events)
    for event in rest:
        notes.fold(state, iter((event,)))
        assert len(notes._kept) <= 1


def record(log: Turnlog, asked: list[e.Event], size: int) -> None:
    request = log.request("c", asked[:size])
    request.now = None
    log.writer.perform(request)
    del asked[:size]


@settings(max_examples=30)
@given(asked=histories, chosen=sizes)
def test_a_commit_that_goes_back_before_a_snapshot_gets_its_own(
    asked: list[e.Event], chosen: list[int]
) -> None:
    """So a reader that begins at a snapshot needs nothing from before it."""
    with patch.object(live_head, "SNAPSHOT_EVERY", 5), turnlog.open("memory:") as log:
        while asked:
            record(log, asked, chosen[len(asked) % len(chosen)])
        log.current.catch_up()
        taken = [snapshot.event for snapshot in snapshots_of(log.store.reader, "c")]
        for commit in log.history("c").commits():
            last = max([0, *(event for event in taken if event < commit.first_event)])
            assert not goes_behind(commit.events, last) or commit.last_event in taken


@settings(max_examples=20)
@given(asked=histories, chosen=sizes, pause=st.integers(1, 5))
def test_a_reader_of_another_writers_events_folds_the_same_state(
    asked: list[e.Event], chosen: list[int], pause: int
) -> None:
    with (
        TemporaryDirectory() as folder,
        patch.object(live_head, "SNAPSHOT_EVERY", 5),
        turnlog.open(f"sqlite:///{folder}/x.db") as writer,
        turnlog.open(f"sqlite:///{folder}/x.db") as reader,
    ):
        while asked:
            for _ in range(pause):
                if asked:
                    record(writer, asked, chosen[len(asked) % len(chosen)])
            events = list(writer.history("c").events())
            assert reader.current.head(reader.store.reader, "c").state == copied(events)[-1]  # type: ignore[union-attr]


@settings(max_examples=20)
@given(asked=histories, chosen=sizes, size=st.integers(1, 4))
def test_heads_rebuilt_in_batches_of_any_size_are_unchanged(
    asked: list[e.Event], chosen: list[int], size: int
) -> None:
    with patch.object(live_head, "SNAPSHOT_EVERY", 5), turnlog.open("memory:") as log:
        while asked:
            record(log, asked, chosen[len(asked) % len(chosen)])
        log.current.catch_up()
        before = [*log.store.reader.heads()], snapshots_of(log.store.reader, "c")
        rebuild_heads(log.store, size)
        assert ([*log.store.reader.heads()], snapshots_of(log.store.reader, "c")) == before
        assert verify(log.store).faults == []


def test_an_unresolved_event_has_no_effect():
    events = [e.SlotSet("a", 1), e.UserUtteranceReverted(), e.HistoryReplaced(to=7)]
    assert replay(events).slots == fold(State(), events).slots == {"a": 1}


def test_events_read_again_must_include_those_taken():
    folded = Fold(lambda: [e.SlotSet("a", 1)])
    folded.take([e.SlotSet("a", 1), e.SlotSet("a", 2)])
    with pytest.raises(LookupError, match="event 3 is not among those that"):
        folded.take([e.HistoryReplaced(to=1)])


def test_a_single_event_goes_back_only_with_the_past():
    events = [e.SlotSet("a", 1), e.SlotSet("a", 2)]
    back = e.HistoryReplaced(to=1)
    with pytest.raises(LookupError, match="returns to event 1"):
        apply(replay(events), back)
    assert apply(replay(events), back, known(events)) == replay([*events, back])

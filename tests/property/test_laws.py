"""The laws of decide and apply, over generated histories."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import turnlog
from turnlog import Dialogue
from turnlog.domain import events as e
from turnlog.domain.conversation import Conversation
from turnlog.domain.effects.messages import rewrite
from turnlog.domain.fold import apply, replay
from turnlog.domain.history import GrowingHistory, NoHistory, past
from turnlog.domain.redactions import Redactions
from turnlog.domain.rewinds import taken_back
from turnlog.domain.slots import Slot
from turnlog.domain.state import LISTEN, RESTART, State
from turnlog.projections import live_head
from turnlog.testing.strategies import accepted

names = st.sampled_from(["a", "b", "c"])
people = st.sampled_from(["ann", "bob"])
numbers = st.integers(1, 6)
messages: st.SearchStrategy[e.Event] = st.one_of(
    st.builds(e.UserUttered, st.text(max_size=5)),
    st.builds(e.BotUttered, st.text(max_size=5)),
)
about_messages: st.SearchStrategy[e.Event] = st.one_of(
    st.builds(e.MessageUnderstood, st.builds(e.Intent, names)),
    st.builds(e.EntitiesAdded, st.tuples(st.builds(e.Entity, names, st.integers(0, 1)))),
    st.builds(e.MessageEdited, numbers, st.text(max_size=3)),
    st.builds(e.MessageRegenerated, numbers, st.text(max_size=3)),
    st.builds(e.MessageRedacted, numbers),
)
others: st.SearchStrategy[e.Event] = st.one_of(
    st.builds(e.SlotSet, names, st.none() | st.integers(0, 5)),
    st.builds(e.LoopActivated, st.sampled_from(["form", None])),
    st.builds(e.SlotsDeclared, st.tuples(st.builds(Slot, names, initial=st.integers(6, 9)))),
    st.builds(e.UserIdentified, people),
    st.builds(e.IdentityMerged, people, people),
    st.sampled_from([
        e.ConversationPaused(), e.ActionRejected("form"), e.LoopInterrupted(),
        e.FollowupSet("act"), e.SessionStarted(), e.SlotsReset(), e.ConversationRestarted(),
        e.UserFeaturized(True), e.SessionConfigured(60.0),
    ]),
)  # fmt: skip
continued = st.builds(e.HistoryContinued, st.integers(0, 12), branch=st.none() | names)
backwards = st.sampled_from([
    e.ActionReverted(), e.UserUtteranceReverted(), *map(e.HistoryReplaced, range(7)),
])  # fmt: skip
actions = st.builds(e.ActionExecuted, st.sampled_from([LISTEN, "act", "form"]))
talk = messages | messages | about_messages | others | backwards | backwards | continued
asks = talk | actions
listened = st.tuples(st.just(e.ActionExecuted(LISTEN)), messages, about_messages)
lengths = st.sampled_from([(0, 5), (10, 30)])
"""By itself, hypothesis makes lists of five events, in which little can happen."""


def flat(pieces: list[Any]) -> list[e.Event]:
    return [event for piece in pieces for event in (piece if type(piece) is tuple else (piece,))]


histories = st.tuples(st.sampled_from([asks | listened, talk]), lengths).flatmap(
    lambda chosen: st.lists(chosen[0], min_size=chosen[1][0], max_size=chosen[1][1])
)
histories = histories.map(flat).map(accepted)
"""What a conversation can be asked for, in order; some are without any action."""


def recorded(asked: list[e.Event], sizes: list[int]) -> Conversation:
    """A conversation that was asked for the events in commits of these sizes, repeated."""
    conversation = Conversation("c", State(), NoHistory())
    start = turn = 0
    while start < len(asked):
        size = sizes[turn % len(sizes)]
        conversation.stage(*asked[start : start + size], recorded=0.0)
        start, turn = start + size, turn + 1
    return conversation


SAID = e.UserUttered | e.BotUttered


@pytest.mark.parametrize(
    "holds",
    [
        lambda events, state: any(taken_back(events).get(n) for n in range(2, len(events))),
        lambda events, state: taken_back(events) and not state.context.latest_action,
        lambda events, state: any(isinstance(event, e.ActionReverted) for event in events),
        lambda events, state: rewritten(events, e.MessageEdited),
        lambda events, state: rewritten(events, e.MessageRedacted),
        lambda events, state: (
            state.context.latest_message and state.context.latest_message.entities
        ),
        lambda events, state: len(state.identities) > 1,
        lambda events, state: state.loops and state.context.loop,
    ],
)
def test_the_histories_cover_the_cases_of_the_laws(holds: Any) -> None:
    def condition(asked: list[e.Event]) -> bool:
        events = raw(recorded(asked, [1]))
        return bool(holds(events, replay(events)))

    unshrunk = settings(phases=[Phase.generate], max_examples=5_000)
    find(histories, condition, random=Random(1), settings=unshrunk)


def rewritten(events: list[e.Event], kind: type[Any]) -> bool:
    """Whether a message was edited or redacted, and a rewind came later."""
    numbers = [n for n, event in enumerate(events) if isinstance(event, kind)]
    rewinds = [n for n, event in enumerate(events) if isinstance(event, e.UserUtteranceReverted)]
    about = [n for n in numbers if isinstance(events[events[n].message - 1], SAID)]  # type: ignore[attr-defined]
    return bool(about and rewinds and min(about) < max(rewinds))


sizes = st.lists(st.integers(1, 7), min_size=1, max_size=3)


def raw(conversation: Conversation) -> list[e.Event]:
    """Its events as stored, with redacted content."""
    return [event for commit in conversation.collect_events() for event in commit.events]


@given(histories)
def test_apply_does_not_change_its_argument(asked: list[e.Event]) -> None:
    state, events = State(), raw(recorded(asked, [1]))
    for event in events:
        before = state.copy()
        after = apply(state, event, past(GrowingHistory(NoHistory(), State(), events), state))
        assert state == before
        state = after
    assert state == replay(events)


@given(histories, sizes)
def test_the_division_into_commits_changes_nothing(asked: list[e.Event], chosen: list[int]) -> None:
    one_by_one, gathered = recorded(asked, [1]), recorded(asked, chosen)
    assert list(gathered.events()) == list(one_by_one.events())
    assert gathered.state == one_by_one.state
    assert gathered.state == replay(gathered.events())
    assert raw(gathered) == raw(one_by_one)


@given(histories, sizes)
def test_deciding_decided_events_again_changes_nothing(
    asked: list[e.Event], chosen: list[int]
) -> None:
    decided = raw(recorded(asked, chosen))
    assert raw(recorded(decided, [5])) == decided


@given(histories)
def test_a_revert_restores_the_context_it_names(asked: list[e.Event]) -> None:
    events = raw(recorded(asked, [1]))
    for number, event in enumerate(events, 1):
        if isinstance(event, e.ActionReverted | e.UserUtteranceReverted | e.HistoryReplaced):
            assert event.to is not None
            before, after = replay(events[: event.to]).context, replay(events[:number]).context
            for edit in events[event.to : number - 1]:  # later edits and redactions stay
                if isinstance(edit, e.MessageEdited | e.MessageRegenerated | e.MessageRedacted):
                    rewrite(before, edit)
            if event.to == 0:
                before.slots = replay(events[:number]).initial_slots
            if not isinstance(event, e.HistoryReplaced) and before.followup == RESTART:
                before.followup = LISTEN
            assert after == before


@given(histories)
def test_a_rewind_retracts_the_last_message_and_what_followed(asked: list[e.Event]) -> None:
    # a reference that knows one line of history: branches have their own laws
    apart = (e.LoopActivated, e.HistoryContinued)
    asked = [event for event in asked if not isinstance(event, apart)]
    since: list[tuple[int, e.Event]] = []  # messages and actions of this session that count
    for number, event in enumerate(raw(recorded(accepted(asked), [1])), 1):
        if isinstance(event, e.SessionStarted | e.ConversationRestarted):
            since = []
        elif isinstance(event, e.UserUttered | e.BotUttered | e.ActionExecuted):
            since.append((number, event))
        elif isinstance(event, e.ActionReverted | e.UserUtteranceReverted | e.HistoryReplaced):
            if isinstance(event, e.UserUtteranceReverted):
                assert event.to == before_last_message(since, number)
            since = [item for item in since if item[0] <= (event.to or 0)]


def before_last_message(since: list[tuple[int, e.Event]], now: int) -> int:
    said = [index for index, (_, event) in enumerate(since) if isinstance(event, e.UserUttered)]
    if not said:
        return now - 1
    listening = since[max(0, said[-1] - 1) : said[-1]]
    listened = [n for n, event in listening if isinstance(event, e.ActionExecuted)]
    return min([*listened, since[said[-1]][0]]) - 1


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@settings(max_examples=30)
@given(asked=histories, chosen=sizes)
def test_every_moment_of_a_stored_conversation_is_its_prefix_replayed(
    kind: str, asked: list[e.Event], chosen: list[int]
) -> None:
    with (
        TemporaryDirectory() as folder,
        patch.object(live_head, "SNAPSHOT_EVERY", 3),
        turnlog.open("memory:" if kind == "memory" else f"sqlite:///{Path(folder)}/x.db") as log,
    ):
        expected = recorded(asked, chosen)
        start = turn = 0
        while start < len(asked):
            size = chosen[turn % len(chosen)]
            request = log.request("c", asked[start : start + size])
            request.now = None
            log.writer.perform(request)
            start, turn = start + size, turn + 1
        if not asked:
            return
        shown, events = list(expected.events()), raw(expected)
        stored = log.conversation("c")
        assert list(log.history("c").events()) == events
        assert list(stored.events()) == shown
        assert stored.state == expected.state
        redactions = Redactions(enumerate(events, 1))
        for number in range(len(events) + 1):
            past = log.conversation("c", event=number)
            assert log.history("c").state(number) == replay(events[:number])
            assert past.state == redactions.state(number) == replay(shown[:number])
            assert list(past.events()) == shown[:number]
        ends = {state.turn: state for state in map(replay, prefixes(events))}
        for ended, state in ends.items():
            assert log.conversation("c", turn=ended).state == redactions.state(state.event)
        assert [t.number for t in stored.dialogue().turns()] == sorted(ends)


def prefixes(events: list[e.Event]) -> list[list[e.Event]]:
    return [events[:number] for number in range(1, len(events) + 1)]


@given(histories, st.integers(0, 10))
def test_the_last_turns_are_a_suffix(asked: list[e.Event], count: int) -> None:
    whole = Dialogue("c", tuple(raw(recorded(asked, [1]))))
    last = whole.last(count)
    assert whole.events[last.first_event - 1 :] == last.events
    assert list(last.turns()) == list(whole.turns())[-count:] * (count > 0)

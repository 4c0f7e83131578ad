"""A redaction hides the same, whatever a conversation went through before and after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import turnlog
from tests.command_line import run
from turnlog import Turnlog
from turnlog.audit.verify import verify
from turnlog.domain import events as e
from turnlog.domain.consequences import Consequences
from turnlog.domain.fold import replay
from turnlog.domain.plain import dumps, to_plain
from turnlog.domain.redactions import Redactions
from turnlog.domain.traits import Utterance
from turnlog.errors import InvalidEvent
from turnlog.projections import live_head
from turnlog.projections.live_head import SNAPSHOT_EVERY

WORDS = ("Xanthippe", "471193", "rue de l'Ourcq")
"""Values of four characters and more, each of a different kind."""

SHORT = ("abc", True, 7, 2.5)
"""Values that are matched only as whole slots."""

names = st.sampled_from(["a", "b"])
words = st.sampled_from(WORDS)
values = words | st.sampled_from(SHORT) | st.sampled_from(["harmless", 12345])
texts = st.sampled_from(["hello", "and you?", "again"]) | words.map("it is {}, yes".format)
numbers = st.integers(1, 12)

turns: st.SearchStrategy[Any] = st.one_of(
    st.builds(e.UserUttered, texts),
    st.builds(e.BotUttered, texts, st.none() | st.fixed_dictionaries({"custom": values})),
    st.builds(e.SlotSet, names, values | words.map(lambda word: [word, {"of": word}])),
    st.builds(e.SlotSet, names, values, cause=numbers),
    st.builds(e.MessageUnderstood, st.none(), st.tuples(st.builds(e.Entity, names, values))),
    st.builds(e.MessageEdited, numbers, texts),
    st.builds(e.MessageRedacted, numbers),
    st.builds(e.MessageRedacted, numbers),
    st.builds(e.ToolCalled, names, st.fixed_dictionaries({"x": values}), cause=st.none() | numbers),
    st.builds(e.VariableSet, names, names, values),
    st.builds(e.ValueSet, names, values),
    st.builds(e.PromptArmed, names, text=texts),
    st.builds(e.ActionExecuted, names, action_text=texts),
    st.builds(e.ConversationTagged, st.tuples(texts)),
    st.sampled_from(
        [
            e.UserUtteranceReverted(),
            e.ActionReverted(),
            e.ConversationRestarted(),
            e.SlotsReset(),
            e.SessionConfigured(None, True),
            e.SessionStarted(),
            e.LoopActivated("form"),
            e.HistoryReplaced(to=1),
        ]
    ),
)
conversations = st.lists(st.lists(turns, min_size=1, max_size=3), min_size=2, max_size=14)


def recorded(log: Turnlog, asked: list[list[e.Event]], id: str = "c") -> list[e.Event]:
    """The stored events of a conversation that was asked for these, one commit each."""
    for events in asked:
        try:
            log.record(id, *events)
        except InvalidEvent:
            """An edit or redaction of an unknown message: nothing is recorded."""
    return list(log.history(id).events()) if id in log else []


def secrets(stored: list[e.Event]) -> Iterator[tuple[str, int]]:
    """Each word in hidden events, and the number of the event from which on it is hidden."""
    for message in {ev.message for ev in stored if isinstance(ev, e.MessageRedacted)}:
        for word in WORDS:
            if any(word in said(event) for event in hidden_with(message, stored)):
                yield word, message


def hidden_with(message: int, stored: list[e.Event]) -> list[e.Event]:
    """The events that a redaction of the message names."""
    numbers = {
        number
        for event in stored
        if isinstance(event, e.MessageRedacted) and event.message == message
        for number in event.events
    }
    return [stored[number - 1] for number in numbers]


def said(event: e.Event) -> str:
    """Where the rules look for values: text, entities, values set."""
    entities = [entity.value for entity in getattr(event, "entities", ())]
    return json.dumps([getattr(event, "value", None), entities])


def set_again(word: str, message: int, stored: list[e.Event]) -> int:
    """Number of the first later message in whose turn the word may be kept; past the end if none.

    The tests below check whether it is kept there.
    """
    later = 0
    for number, event in enumerate(stored, 1):
        if number <= message:
            continue
        if isinstance(event, e.UserUttered):
            later = number
        if later and word in dumps(to_plain(event)).decode():
            return later
    return len(stored) + 1


def shown(conversation: Any, first: int, last: float) -> bytes:
    """The visible parts of the events between two numbers, both excluded."""
    lines = [r for r in conversation.recorded() if first < r.number < last]
    messages = [m for m in conversation.messages() if first < (m.event or 0) < last]
    return b"\n".join(
        [
            *(dumps(recorded.as_dict()) for recorded in lines),
            *(dumps(message.as_openai()) for message in messages),
        ]
    )


@given(conversations)
@settings(max_examples=150)
def test_no_hidden_word_is_shown_before_a_later_message_says_it(asked: Any) -> None:
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        stored = recorded(log, asked)
        if not stored:
            return
        now = log.conversation("c")
        for word, message in secrets(stored):
            until = set_again(word, message, stored)
            assert word.encode() not in shown(now, message, until)
            before = b"\n".join(dumps(to_plain(event)) for event in stored[: message - 1])
            is_message = isinstance(stored[message - 1], Utterance)
            if is_message and until > len(stored) and word.encode() not in before:
                assert word.encode() not in dumps(to_plain(now.state))


@given(conversations)
@settings(max_examples=150)
def test_a_state_is_the_fold_of_the_visible_events(asked: Any) -> None:
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        stored = recorded(log, asked)
        if not stored:
            return
        now = log.conversation("c")
        events = list(now.events())
        assert [r.event for r in now.recorded()] == events
        assert [*now.states()][-1] == now.state == log.head("c")[1]
        for number in range(len(stored) + 1):
            past = log.conversation("c", event=number)
            assert past.state == replay(events[:number])
            assert list(past.events()) == events[:number]


@given(conversations, st.integers(1, 5))
@settings(max_examples=100)
def test_the_chain_and_the_heads_follow_from_the_stored_events(asked: Any, every: int) -> None:
    live_head.SNAPSHOT_EVERY = every
    try:
        with turnlog.open("memory:", clock=lambda: 1.0) as log:
            stored = recorded(log, asked)
            if stored:
                assert log.history("c").replay() == replay(stored)
                for model in ("slots", "transcript", "session_values", "due_prompts"):
                    log.view(model)
                assert verify(log.store).faults == []
    finally:
        live_head.SNAPSHOT_EVERY = SNAPSHOT_EVERY


@given(conversations)
@settings(max_examples=40)
def test_an_export_is_imported_as_it_is_shown(asked: Any) -> None:
    with TemporaryDirectory() as folder:
        db, other = (f"sqlite:///{folder}/{name}.db" for name in ("one", "other"))
        out = Path(folder, "out.jsonl")
        with turnlog.open(db, clock=lambda: 1.0) as log:
            if not recorded(log, asked):
                return
        assert run("--db", db, "export", "--format", "jsonl", "--out", out).status == 0
        again = run("--db", db, "import", out, "--json")
        assert (again.status, again.json["unchanged"]) == (0, 1), again.out
        assert run("--db", other, "import", out, "--json").status == 0
        with turnlog.open(db) as one, turnlog.open(other) as two:
            assert list(one.conversation("c").events()) == list(two.conversation("c").events())
            assert one.conversation("c").state.context == two.conversation("c").state.context


@given(conversations)
def test_without_a_redaction_everything_is_shown_as_recorded(asked: Any) -> None:
    kept = [[x for x in events if not isinstance(x, e.MessageRedacted)] for events in asked]
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        stored = recorded(log, [events for events in kept if events])
        if stored:
            now = log.conversation("c")
            assert list(now.events()) == stored
            assert now.state == replay(stored)
            assert not any(r.redacted for r in now.recorded())


# --- continued ----------------------------------------------------------------------------------

following: st.SearchStrategy[Any] = st.lists(
    turns
    | st.builds(e.BotUttered, texts, cause=numbers)
    | st.builds(e.ToolCalled, names, st.just({}), call_id=names, cause=st.none() | numbers)
    | st.builds(e.ToolReturned, call_id=names, result=values)
    | st.builds(e.MessageRated, numbers, comment=words)
    | st.builds(e.ThreadImported, st.just(b'{"of": "Xanthippe"}'))
    | st.builds(e.ForeignRecorded, names, names, st.just(b'{"of": "Xanthippe"}')),
    max_size=12,
)


def everything_seen(redactions: Redactions, events: list[e.Event]) -> list[Any]:
    """Everything that shows what is hidden."""
    numbered = list(enumerate(events, 1))
    hidden = [(v.value, v.slots, v.since, v.until, v.known) for v in redactions._values]
    shown = [redactions.shown(*each) for each in numbered]
    states = [redactions.state(number) for number in range(len(events), -1, -1)]
    return [redactions.hidden, hidden, shown, states, bool(redactions), redactions.last]


@given(conversations, following, st.lists(st.integers(1, 4), max_size=8))
@settings(max_examples=300)
def test_redactions_continued_in_steps_hide_what_the_whole_hides(
    asked: Any, more: list[e.Event], steps: list[int]
) -> None:
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        stored = recorded(log, [*asked, *([event] for event in more)])
    first = min(4, len(stored))
    known, at = Redactions(enumerate(stored[:first], 1)), first
    for step in [*steps, len(stored)]:
        known.state(known.last)
        known = known.followed_by(enumerate(stored[at : at + step], at + 1))
        at = min(at + step, len(stored))
        whole = Redactions(enumerate(stored[:at], 1))
        assert everything_seen(known, stored[:at]) == everything_seen(whole, stored[:at])


@pytest.mark.parametrize("turn", [0, 15, 29])
def test_a_second_request_costs_only_the_new_events(
    turn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked: list[int] = []
    init = Consequences.__init__

    def counted(self: Consequences, events: Any) -> None:
        walked.append(len(events))
        init(self, events)

    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        for number in range(30):
            name = "Anna" if number == turn else f"person {number}"
            log.record("c", e.UserUttered(f"I am {name}"), e.SlotSet("name", name), key=f"{number}")
        log.record("c", e.MessageRedacted(2 * turn + 1), e.UserUttered("go on"))
        before = log.conversation("c").state
        monkeypatch.setattr(Consequences, "__init__", counted)
        log.record("c", e.UserUttered("Anna?"), e.BotUttered("Anna!"))
        now = log.conversation("c")
        assert now.slots == before.slots
        shown = [getattr(event, "text", None) for event in now.events(61)]
        assert shown == ["go on", "████?", "████!"]
        assert log.head("c")[1] == now.state
        assert not log.record("c", e.UserUttered("x"), key="3").new
        assert walked == []


# --- later messages -----------------------------------------------------------------------------


def said_again(value: Any, text: str, *between: e.Event) -> Any:
    """The conversation after a redacted message, and one that sets the same value again."""
    log = turnlog.open("memory:", clock=lambda: 1.0)
    log.record("c", e.UserUttered(f"it is {value}"), e.SlotSet("a", value))
    log.record("c", e.BotUttered(f"so {value}"), *between)
    log.record("c", e.UserUttered(text), e.SlotSet("a", value))
    log.record("c", e.MessageRedacted(1))
    return log.conversation("c")


def test_a_later_message_that_sets_the_value_again_keeps_it():
    now = said_again("471193", "it is 471193")
    assert now.slots == {"a": "471193"}
    assert [getattr(event, "text", None) for event in now.events()][:4] == [
        None, None, "so ██████", "it is 471193",
    ]  # fmt: skip


def test_a_value_that_is_set_again_without_being_said_stays_hidden():
    assert said_again("471193", "go on").slots == {}


def test_shorter_values_and_booleans_are_hidden_as_slots_only():
    for value in SHORT:
        now = said_again(value, "go on", e.SlotSet("a", value), e.SlotSet("b", value))
        events = list(now.events())
        assert getattr(events[2], "text", None) == f"so {value}"
        assert events[1].value is events[3].value is None  # type: ignore[attr-defined]
        assert now.slots["a"] == value
        assert not any("█" in dumps(to_plain(event)).decode() for event in events)


def test_a_value_is_masked_as_a_whole_word_in_any_case():
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        log.record("c", e.UserUttered("I am Anna"), e.SlotSet("name", "Anna"))
        log.record("c", e.BotUttered("ANNA, Annabel and anna's Johanna"), e.MessageRedacted(1))
        assert log.conversation("c").event(3) == e.BotUttered(
            "████, Annabel and ████'s Johanna", timestamp=1.0
        )


def test_a_rewind_restores_nothing_of_a_redacted_answer_of_any_length():
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        log.record("c", e.UserUttered("hi"), e.BotUttered("yes", {"image": "me.png"}))
        log.record("c", e.UserUttered("oops"), e.UserUtteranceReverted(), e.MessageRedacted(2))
        bot = log.conversation("c").state.context.latest_bot_message
        assert bot is not None
        assert (bot.event, bot.text) == (2, None)


def test_a_rewind_to_before_a_slot_was_set_again_restores_nothing_hidden():
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        log.record("c", e.UserUttered("I am Anna"), e.SlotSet("name", "Anna"))
        log.record("c", e.UserUttered("Bob, I mean"), e.SlotSet("name", "Bob"))
        log.record("c", e.MessageRedacted(1), e.UserUtteranceReverted())
        now = log.conversation("c")
        latest = now.state.context.latest_message
        assert latest is not None
        assert (latest.event, latest.text) == (1, None)
        assert now.slots == log.head("c")[1].slots == {}
        assert b"Anna" not in dumps([r.as_dict() for r in now.recorded()])


def test_a_rewind_to_before_a_redacted_turn_restores_the_state_there():
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        log.record("c", e.UserUttered("I am Bob"), e.SlotSet("name", "Bob"))
        log.record("c", e.UserUttered("Anna, I mean"), e.SlotSet("name", "Anna"))
        log.record("c", e.MessageRedacted(3), e.UserUtteranceReverted())
        assert log.conversation("c").slots == {"name": "Bob"}


def test_a_masked_entity_has_no_position_in_the_text():
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        log.record("c", e.UserUttered("I am Anna"), e.SlotSet("name", "Anna"))
        entity = e.Entity("who", "Anna", 0, 4)
        log.record("c", e.UserUttered("Anna!"), e.MessageUnderstood(None, (entity,)))
        log.record("c", e.MessageRedacted(1))
        understood = log.conversation("c").event(4)
        assert isinstance(understood, e.MessageUnderstood)
        assert understood.entities == (e.Entity("who"),)

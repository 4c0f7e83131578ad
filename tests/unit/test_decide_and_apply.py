"""The events recorded for each event asked, and the state that follows."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import turnlog
from tests.stored import rows_of
from turnlog.domain import events as e
from turnlog.domain.context import Loop
from turnlog.domain.conversation import Conversation
from turnlog.domain.fold import replay
from turnlog.domain.history import NoHistory
from turnlog.domain.slots import Slot
from turnlog.domain.state import LISTEN, State
from turnlog.encoding import binary
from turnlog.errors import InvalidEvent
from turnlog.serializers.rasa.reader import from_rasa

U, B, A, S = e.UserUttered, e.BotUttered, e.ActionExecuted, e.SlotSet


@dataclass
class Given:
    """given(events).when(asked) → what was recorded, and the state after it."""

    conversation: Conversation

    def when(self, *asked: e.Event, now: float | None = None) -> tuple[tuple[e.Event, ...], State]:
        commit = self.conversation.stage(*asked, recorded=0.0, now=now)
        state = self.conversation.state
        assert state == replay(self.conversation.events()), "incremental apply is not replay"
        return commit.events, state


def given(*events: e.Event, now: float | None = None) -> Given:
    conversation = Conversation("c", State(), NoHistory())
    if events:
        conversation.stage(*events, recorded=0.0, now=now)
    return Given(conversation)


def booking() -> tuple[e.Event, ...]:
    return (
        A(LISTEN), U("a table"), S("people", 2), A("ask_time"), B("When?"),
        A(LISTEN), U("at five"), S("time", "5"), A("confirm"), B("Done"), A(LISTEN),
    )  # fmt: skip


def test_every_user_message_opens_the_next_turn_rewound_or_not():
    _, state = given(*booking()).when(e.UserUtteranceReverted(), U("at six"))
    assert state.turn == 3


def test_a_rewind_goes_back_before_the_action_that_listened():
    (event,), state = given(*booking()).when(e.UserUtteranceReverted())
    assert isinstance(event, e.UserUtteranceReverted)
    assert event.to == 5
    assert state.slots == {"people": 2}
    assert state.context.latest_message is not None
    assert state.context.latest_message.text == "a table"


def test_two_rewinds_go_back_two_messages():
    _, state = given(*booking()).when(e.UserUtteranceReverted(), e.UserUtteranceReverted())
    assert state.slots == {}
    assert state.context.latest_message is None


def test_a_rewind_without_any_action_retracts_the_last_message_and_what_followed():
    talk = (U("to Rome"), S("city", "Rome"), B("When?"), U("oops"), S("city", None), B("Pardon?"))
    (event,), state = given(*talk).when(e.UserUtteranceReverted())
    assert isinstance(event, e.UserUtteranceReverted)
    assert event.to == 3
    assert state.slots == {"city": "Rome"}
    assert state.context.latest_message is not None
    assert state.context.latest_message.text == "to Rome"
    _, state = given(*talk).when(e.UserUtteranceReverted(), e.UserUtteranceReverted())
    assert (state.slots, state.context.latest_message) == ({}, None)


@pytest.mark.parametrize("between", [B("Done"), U("and"), e.AgentUttered("Anna here")])
def test_an_action_is_rewound_with_the_message_unless_a_message_comes_between(between):
    act, said = A("search"), U("oops")
    (event,), _ = given(U("find"), act, between, S("a", 1), said).when(e.UserUtteranceReverted())
    assert isinstance(event, e.UserUtteranceReverted)
    assert event.to == 4
    (event,), _ = given(U("find"), act, S("a", 1), said).when(e.UserUtteranceReverted())
    assert isinstance(event, e.UserUtteranceReverted)
    assert event.to == 1


@pytest.mark.parametrize(
    "before",
    [
        (),
        (S("a", 1), B("Welcome")),
        (U("hi"), e.SessionStarted(), S("a", 1)),
        (U("hi"), e.ConversationRestarted(), S("a", 1), A("greet")),
        (U("hi"), e.UserUtteranceReverted(), S("a", 1)),
        (S("a", 1), U("hi"), e.UserUtteranceReverted()),
    ],
)
def test_a_rewind_without_a_message_retracts_nothing(before):
    (event,), state = given(*before).when(e.UserUtteranceReverted())
    assert isinstance(event, e.UserUtteranceReverted)
    assert event.to == len(before)
    assert state.slots == ({"a": 1} if before else {})


def test_a_rewind_retracts_the_message_that_began_a_session_but_not_the_session():
    before = given(e.SessionConfigured(expiry=60.0), U("hi"), S("a", 1), now=100.0)
    events, state = before.when(U("again"), S("a", 2), e.UserUtteranceReverted(), now=200.0)
    assert [type(event) for event in events[:3]] == [e.SessionExpired, e.SessionStarted, U]
    assert (state.session.number, state.slots) == (2, {"a": 1})
    _, state = before.when(e.UserUtteranceReverted(), now=201.0)
    assert (state.session.number, state.slots) == (2, {"a": 1})


def test_a_message_edited_or_redacted_before_a_rewind_stays_so():
    talk = (U("my pin is 1"), B("Why?"), U("oops"), B("What?"))
    _, state = given(*talk).when(
        e.MessageEdited(1, "my pin"), e.MessageEdited(1, "my pin is mine"), e.MessageRedacted(2),
        e.UserUtteranceReverted(),
    )  # fmt: skip
    assert state.context.latest_message is not None
    assert state.context.latest_message.text == "my pin is mine"
    assert state.context.latest_bot_message is not None
    assert state.context.latest_bot_message.text is None


@pytest.mark.parametrize(
    "before",
    [
        (),
        (U("hi"), S("a", 1), B("hello")),
        (A("greet"), U("hi"), e.SessionStarted(), U("hi")),
        (A("greet"), e.ActionReverted(), U("hi")),
    ],
)
@pytest.mark.parametrize("now", [None, 1.0])
def test_an_undo_without_an_action_is_refused_by_name(before, now):
    conversation = given(*before)
    with pytest.raises(InvalidEvent, match="'c': ActionReverted: no action") as refused:
        conversation.when(U("again"), e.ActionReverted(), now=now)
    assert refused.value.field == "ActionReverted"
    assert conversation.conversation.state.event == len(before)


@pytest.mark.parametrize("kind", ["undo", "rewind"])
def test_rasas_rewinds_go_back_as_far_as_in_rasa(kind):
    (asked,) = from_rasa([{"event": kind, "timestamp": 5.0, "metadata": {"by": "rasa"}}])
    for before, to in (
        ((U("hi"), S("a", 1), U("oops")), 0),
        ((S("a", 1),), 0),
        ((S("a", 1), e.SessionStarted(), S("a", 2), U("hi")), 2),
        ((U("hi"), A("greet"), B("hello"), U("oops")), 1),
    ):
        (event,), _ = given(*before).when(asked, now=9.0)
        assert isinstance(event, e.ActionReverted | e.UserUtteranceReverted)
        assert event.to == to
        assert (event.timestamp, event.extra) == (5.0, {"metadata": {"by": "rasa"}})


def test_an_undo_retracts_the_last_action_and_what_followed_it():
    (event,), state = given(A("one"), S("a", 1), A("two"), S("a", 2)).when(e.ActionReverted())
    assert isinstance(event, e.ActionReverted)
    assert event.to == 2
    assert state.slots == {"a": 1}
    assert state.context.latest_action is not None
    assert state.context.latest_action.name == "one"


def test_an_undo_after_a_rewind_sees_only_events_that_count():
    before = given(*booking())
    before.when(e.UserUtteranceReverted())
    (event,), _ = before.when(e.ActionReverted())
    assert isinstance(event, e.ActionReverted)
    assert event.to == 3


def test_nothing_goes_back_beyond_a_restart():
    events, state = given(*booking(), e.ConversationRestarted()).when(e.UserUtteranceReverted())
    assert isinstance(events[0], e.UserUtteranceReverted)
    assert events[0].to == 12
    assert state.context.followup == LISTEN


def test_going_back_to_the_very_beginning_gives_slots_their_initial_values():
    declared = e.SlotsDeclared((Slot("people", initial=1),))
    _, state = given(A("greet"), declared, S("people", 3)).when(e.ActionReverted())
    assert state.slots == {"people": 1}


def test_a_rewind_in_a_form_goes_back_to_the_message_that_began_it():
    form = (A(LISTEN), U("book"), A("form"), e.LoopActivated("form"), S("asked", "people"))
    again = (A(LISTEN), U("two"), A("form"), S("people", 2), A(LISTEN))
    events, state = given(*form, *again).when(e.UserUtteranceReverted())
    assert isinstance(events[0], e.UserUtteranceReverted)
    assert events[0].to == 0
    assert state.slots == {}
    assert state.context.loop is None


def test_a_rewind_in_a_form_that_was_left_goes_back_to_the_last_message():
    form = (A(LISTEN), U("book"), A("form"), e.LoopActivated("form"), A(LISTEN))
    left = (U("why?"), A("utter_why"), A("form"), S("asked", "people"))
    events, state = given(*form, *left).when(e.UserUtteranceReverted())
    assert isinstance(events[0], e.UserUtteranceReverted)
    assert events[0].to == 4
    assert state.context.loop is not None


@pytest.mark.parametrize(("rejected", "to"), [("form", 5), ("other_form", 0)])
def test_a_form_that_was_rejected_counts_again_when_it_runs(rejected, to):
    form = (A(LISTEN), U("book"), A("form"), e.LoopActivated("form"), S("asked", "people"))
    again = (A(LISTEN), U("two"), e.ActionRejected(rejected), A("form"), S("people", 2))
    (event,), _ = given(*form, *again).when(e.UserUtteranceReverted())
    assert isinstance(event, e.UserUtteranceReverted)
    assert event.to == to


def test_a_restart_gives_slots_their_initial_values():
    declared = e.SlotsDeclared((Slot("people", initial=1), Slot("time")))
    _, state = given(declared, *booking()).when(e.ConversationRestarted())
    assert state.slots == {"people": 1}
    assert state.context.latest_message is None
    assert state.turn == 2


def test_a_reset_touches_slots_only():
    _, state = given(*booking()).when(e.SlotsReset())
    assert state.slots == {}
    assert state.context.latest_message is not None


def test_replaced_history_starts_from_the_event_it_names():
    _, state = given(*booking()).when(e.HistoryReplaced(to=3), S("time", "7"))
    assert state.slots == {"people": 2, "time": "7"}


@pytest.mark.parametrize("number", [99, 12, -1])
def test_going_back_to_an_unknown_event_is_refused(number):
    with pytest.raises(InvalidEvent, match=f"event {number} does not exist; the last is 11"):
        given(*booking()).when(e.HistoryReplaced(to=number))


def test_an_undeclared_slot_under_a_closed_declaration_is_kept_without_effect():
    declared = e.SlotsDeclared((Slot("people"),), closed=True)
    events, state = given(declared).when(S("people", 2), S("other", 1))
    assert len(events) == 2
    assert state.slots == {"people": 2}


def test_a_list_slot_wraps_a_scalar_while_the_event_stays_as_it_was_said():
    events, state = given(e.SlotsDeclared((Slot("tags", "list"),))).when(S("tags", "x"))
    assert events == (S("tags", "x"),)
    assert state.slots == {"tags": ["x"]}


def test_setting_a_slot_to_none_removes_it():
    _, state = given(S("a", 1)).when(S("a", None))
    assert state.slots == {}


def test_a_message_after_the_expiry_begins_a_new_session_and_carries_values_over():
    before = given(e.SessionConfigured(expiry=60.0), U("hi"), S("a", 1), now=100.0)
    events, state = before.when(U("again"), now=200.0)
    assert [type(event) for event in events] == [e.SessionExpired, e.SessionStarted, U]
    assert (state.session.number, state.slots) == (2, {"a": 1})


def test_a_message_within_the_expiry_stays_in_its_session():
    before = given(e.SessionConfigured(expiry=60.0), U("hi"), now=100.0)
    events, state = before.when(U("again"), now=159.0)
    assert [type(event) for event in events] == [U]
    assert state.session.number == 1


@pytest.mark.parametrize(("time", "session"), [(160.0, 1), (160.5, 2)])
def test_a_session_lasts_until_its_expiry_is_over(time, session):
    before = given(e.SessionConfigured(expiry=60.0), U("hi"), now=100.0)
    assert before.when(U("again"), now=time)[1].session.number == session


def test_a_session_that_does_not_carry_over_begins_with_initial_slots():
    settings = e.SessionConfigured(expiry=60.0, carry_over=False)
    _, state = given(settings, U("hi"), S("a", 1), now=1.0).when(U("again"), now=100.0)
    assert state.slots == {}


def test_a_message_after_an_ended_session_begins_the_next_one():
    before = given(e.SessionStarted(), U("hi"), e.SessionEnded("bye"), now=1.0)
    events, state = before.when(U("again"), now=2.0)
    assert [type(event) for event in events] == [e.SessionStarted, U]
    assert (state.session.number, state.session.ended) == (2, None)


def test_a_session_that_was_ended_does_not_expire_as_well():
    settings = e.SessionConfigured(expiry=60.0)
    before = given(settings, U("hi"), e.SessionEnded("bye"), now=1.0)
    events, _ = before.when(U("again"), now=200.0)
    assert [type(event) for event in events] == [e.SessionStarted, U]


def test_an_import_invents_no_time_and_expires_no_session():
    events, _ = given(e.SessionConfigured(expiry=60.0)).when(U("hi"), U("later"))
    assert [event.timestamp for event in events] == [None, None]


def test_an_understanding_names_its_message():
    events, state = given(U("book a table")).when(
        e.MessageUnderstood(e.Intent("book"), (e.Entity("what", "table", 7, 12),))
    )
    assert isinstance(events[0], e.MessageUnderstood)
    assert events[0].message == 1
    message = state.context.latest_message
    assert message is not None
    assert message.intent == e.Intent("book")
    assert message.entities[0].value == "table"


def test_understanding_an_older_message_leaves_the_latest_alone():
    _, state = given(U("one"), U("two")).when(e.MessageUnderstood(e.Intent("x"), message=1))
    assert state.context.latest_message is not None
    assert state.context.latest_message.intent is None


@pytest.mark.parametrize("number", [0, -1, 3])
@pytest.mark.parametrize(
    "about",
    [
        lambda number: e.MessageUnderstood(message=number),
        lambda number: e.MessageAnnotated(message=number),
        lambda number: e.MessageEdited(number, "x"),
        lambda number: e.MessageRegenerated(number, "x"),
        lambda number: e.MessageRedacted(number),
        lambda number: e.MessageRated(number, 1.0),
        lambda number: e.DeliverySucceeded(number),
        lambda number: e.DeliveryFailed(number, "gone"),
    ],
)
def test_an_event_about_an_unknown_event_is_refused(about, number):
    with pytest.raises(InvalidEvent, match=f"event {number} does not exist; the last is 2"):
        given(U("one"), B("two")).when(about(number))
    given(U("one"), B("two")).when(about(1))
    given(U("one"), B("two")).when(about(2))


def test_an_entity_is_added_once_and_only_while_the_bot_listens():
    city, day = e.Entity("city", "Rome"), e.Entity("day", "Monday")
    listened = given(A(LISTEN), U("Rome"), e.EntitiesAdded((city,)))
    _, state = listened.when(e.EntitiesAdded((city, day)))
    assert state.context.latest_message is not None
    assert state.context.latest_message.entities == (city, day)
    _, state = given(A("other"), U("Rome")).when(e.EntitiesAdded((city,)))
    assert state.context.latest_message is not None
    assert state.context.latest_message.entities == ()


def test_an_identity_is_merged_once():
    merged = (
        e.IdentityMerged("u1", "u2"),
        e.IdentityMerged("u1", "u3"),
        e.IdentityMerged("u1", "u2"),
    )
    _, state = given(*merged).when()
    assert (state.user, state.identities) == ("u1", ("u2", "u3"))


def test_featurization_counts_only_while_the_bot_listens():
    _, state = given(A("other"), U("hi")).when(e.UserFeaturized(use_text=True))
    assert state.context.latest_message is not None
    assert state.context.latest_message.use_text is None
    _, state = given(A(LISTEN), U("hi")).when(e.UserFeaturized(use_text=True))
    assert state.context.latest_message is not None
    assert state.context.latest_message.use_text is True


def test_a_form_remembers_what_triggered_it_and_that_it_was_rejected():
    _, state = given(U("book")).when(
        e.LoopActivated("form"), e.LoopInterrupted(True), e.ActionRejected("form")
    )
    loop = state.context.loop
    assert loop is not None
    assert (loop.is_interrupted, loop.rejected) == (True, True)
    assert loop.trigger is not None
    assert loop.trigger.text == "book"


def test_running_the_form_clears_its_flags_and_another_action_only_the_interruption():
    flags = (e.LoopActivated("form"), e.LoopInterrupted(True), e.ActionRejected("form"))
    _, state = given(*flags).when(A("other"))
    assert state.context.loop == Loop("form", False, True)
    _, state = given(*flags).when(A("form"))
    assert state.context.loop == Loop("form", False, False)


def test_a_followup_lasts_until_the_next_action_or_message():
    assert given().when(e.FollowupSet("x"))[1].context.followup == "x"
    assert given(e.FollowupSet("x")).when(A("x"))[1].context.followup is None
    assert given(e.FollowupSet("x")).when(U("hi"))[1].context.followup is None


def test_a_prompt_is_open_until_it_is_answered_times_out_or_is_cancelled():
    armed = (e.ThreadStarted("u", "s"), e.PromptArmed("t1", 10.0), e.PromptArmed("t2", 20.0))
    for closing in (e.PromptAnswered("t1"), e.PromptTimedOut("t1"), e.PromptCancelled("t1")):
        _, state = given(*armed).when(closing)
        assert state.thread is not None
        assert list(state.thread.prompts) == ["t2"]
    _, state = given(*armed).when(e.ThreadEnded("abandoned"))
    assert state.thread is not None
    assert (state.thread.prompts, state.thread.ended) == ({}, "abandoned")


def test_variables_belong_to_their_unit_and_outlive_the_thread():
    _, state = given(e.ThreadStarted("a", "s"), e.VariableSet("a", "x", 1)).when(
        e.VariableSet("b", "x", 2), e.ThreadEnded(), e.ThreadStarted("b", "s"),
        e.VariableRemoved("a", "x"),
    )  # fmt: skip
    assert state.thread is not None
    assert state.thread.variables == {"a": {}, "b": {"x": 2}}


def test_a_redacted_message_leaves_no_text_in_the_state():
    _, state = given(U("my number is 5")).when(e.MessageRedacted(1))
    assert state.context.latest_message is not None
    assert state.context.latest_message.text is None


def test_a_redacted_message_does_not_come_back_with_a_rewind():
    before = given(A(LISTEN), U("secret"), A(LISTEN), U("more"))
    _, state = before.when(e.MessageRedacted(2), e.UserUtteranceReverted())
    assert state.context.latest_message is not None
    assert state.context.latest_message.text is None


def test_a_deleted_conversation_takes_no_more_events():
    with pytest.raises(InvalidEvent, match="was deleted"):
        given(U("hi"), e.ConversationDeleted()).when(U("again"))


def test_session_values_leave_no_trace_in_the_state():
    _, state = given().when(e.ValueSet("k", "v"), e.ValueAppended("l", [1]))
    assert state == State(event=2)


def test_tags_users_and_handover_move_forward_through_a_rewind():
    _, state = given(*booking()).when(
        e.ConversationTagged(("vip",)), e.UserIdentified("u1"), e.IdentityMerged("u1", "u2"),
        e.HandoverStarted("anna"), e.UserUtteranceReverted(),
    )  # fmt: skip
    assert (state.tags, state.user, state.identities) == (("vip",), "u1", ("u2",))
    assert state.handover == "anna"


@pytest.mark.parametrize(
    "asked",
    [
        e.UserUtteranceReverted(),
        e.ActionReverted(),
        e.HistoryReplaced(to=3),
        e.ConversationRestarted(),
        e.SlotsReset(),
        e.SessionStarted(),
    ],
    ids=lambda asked: type(asked).__name__,
)
def test_a_rewind_is_recorded_without_a_copy_of_the_state(asked: e.Event):
    with turnlog.open("memory:", clock=lambda: 1.0) as log:
        log.record("c", e.SessionConfigured(None, carry_over=True), e.UserUttered("I am Xanthippe"))
        log.record("c", e.SlotSet("name", "Xanthippe"), e.ActionExecuted("act"), e.UserUttered("x"))
        log.record("c", asked)
        *_, event = log.history("c").commits()
        assert b"Xanthippe" not in rows_of(log.store.reader, "c", 2)[0].parts
        assert len(binary.encode(event.events)) <= 24


def test_the_last_declaration_of_a_slot_in_one_event_counts():
    declared = e.SlotsDeclared((Slot("a", initial=1), Slot("a", initial=3)))
    assert replay([declared]).slots == replay([declared, e.SlotsReset()]).slots == {"a": 3}

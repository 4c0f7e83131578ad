"""Apply: each function writes one event's effect into a state.

Where Rasa's replay and its incremental update disagree, this is the incremental one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.context import Action, BotMessage, Context, LatestMessage, Loop
from turnlog.domain.lineage import Lineage
from turnlog.domain.patches import BadPatch, patched
from turnlog.domain.state import LISTEN, PATH_KEPT, RESTART, Prompt, State, Thread
from turnlog.domain.traits import Replacing, Rewind, Rewrite
from turnlog.domain.values import unholdable

REWINDS: frozenset[type[e.Event]] = frozenset(get_args(Rewind))
REWRITES: frozenset[type[e.Event]] = frozenset(get_args(Rewrite))


def advance(state: State, events: Iterator[e.Event]) -> Rewind | None:
    """Write the effect of events, oldest first, into a state that nobody else holds.

    Stops after an event that goes back and gives it: what was there is for the caller to give.
    """
    effect_of = _EFFECTS.get
    started, last = state.started, state.last
    rewind: Rewind | None = None
    for event in events:
        state.event += 1
        if (time := event.timestamp) is not None:
            last = time
            if started is None:
                started = time
        if (effect := effect_of(type(event))) is not None:
            effect(state, event)
        elif type(event) in REWINDS:
            rewind = event  # type: ignore[assignment]  # its type says so
            break
    state.started, state.last = started, last
    return rewind


def go_back(state: State, event: Rewind, context: Context) -> None:
    """Put a context that nobody else holds in force again.

    What a rewind or an undo takes back was no restart, so the bot does not restart either (Rasa).
    """
    if context.followup == RESTART and not isinstance(event, Replacing):
        context.followup = LISTEN
    state.context = context


def go_on(state: State, event: Rewind) -> None:
    """What it means for branches to go on from elsewhere, whether or not it was taken back.

    Nobody waits for an answer in a fork, where the question was asked in its origin.
    """
    if isinstance(event, e.HistoryContinued):
        state.lineage = state.lineage.after(event, state.event, state.turn)
        if event.conversation is not None and state.thread is not None:
            state.thread = replace(state.thread, prompts={})


def beginning(state: State) -> Context:
    """The context before the first event: slots at their initial values, whenever declared."""
    return Context(slots=state.initial_slots, followup=LISTEN)


# --- declarations and sessions ------------------------------------------------------------------


def _slots_declared(state: State, event: e.SlotsDeclared) -> None:
    state.declared = {**state.declared, **{slot.name: slot for slot in event.slots}}
    state.closed = event.closed
    slots = state.context.slots
    for name in dict.fromkeys(slot.name for slot in event.slots):
        slot = state.declared[name]  # the last, where one is declared twice
        if slot.initial is not None:
            slots.setdefault(name, slot.coerce(slot.initial))


def _session_configured(state: State, event: e.SessionConfigured) -> None:
    state.session = replace(state.session, expiry=event.expiry, carry_over=event.carry_over)


def _session_started(state: State, event: e.SessionStarted) -> None:
    number = state.session.number + 1
    state.session = replace(state.session, number=number, started=event.timestamp, ended=None)
    slots = dict(state.context.slots) if state.session.carry_over else state.initial_slots
    state.context = _fresh(state, slots, LISTEN)


def _conversation_restarted(state: State, event: e.ConversationRestarted) -> None:
    state.context = _fresh(state, state.initial_slots, RESTART)


def _fresh(state: State, slots: dict[str, Any], followup: str) -> Context:
    stack: list[Any] | None = None if state.context.stack is None else []
    return Context(slots=slots, followup=followup, stack=stack, turn=state.context.turn)


def _session_expired(state: State, event: e.SessionExpired) -> None:
    state.session = replace(state.session, ended="expired")


def _session_ended(state: State, event: e.SessionEnded) -> None:
    state.session = replace(state.session, ended=event.reason or "ended")


# --- messages -----------------------------------------------------------------------------------


def _user_uttered(state: State, event: e.UserUttered) -> None:
    state.turn += 1
    context = state.context
    context.turn += 1
    context.latest_message = LatestMessage(state.event, event.text, None, (), event.message_id)
    context.followup = None
    if event.channel is not None:
        state.channel = event.channel


def _message_understood(state: State, event: e.MessageUnderstood) -> None:
    latest = state.context.latest_message
    if latest is not None and event.message in (None, latest.event):
        state.context.latest_message = replace(
            latest, intent=event.intent, entities=event.entities, understood=state.event
        )


def _bot_uttered(state: State, event: e.BotUttered) -> None:
    state.context.latest_bot_message = BotMessage(state.event, event.text)


def _user_featurized(state: State, event: e.UserFeaturized) -> None:
    if (latest := _message_listened_to(state)) is not None:
        state.context.latest_message = replace(latest, use_text=event.use_text)


def _entities_added(state: State, event: e.EntitiesAdded) -> None:
    if (latest := _message_listened_to(state)) is not None:
        added = tuple(entity for entity in event.entities if entity not in latest.entities)
        state.context.latest_message = replace(latest, entities=latest.entities + added)


def _message_listened_to(state: State) -> LatestMessage | None:
    action = state.context.latest_action
    return state.context.latest_message if action and action.name == LISTEN else None


def _message_rewritten(state: State, event: Rewrite) -> None:
    state.rewritten = state.event
    rewrite(state.context, event)


def _message_redacted(state: State, event: e.MessageRedacted) -> None:
    state.redacted = True
    _message_rewritten(state, event)
    for name in event.slots:
        state.context.slots.pop(name, None)


def rewrite(context: Context, event: Rewrite) -> None:
    """Give the latest messages what an edit or a redaction leaves of them."""
    if isinstance(event, e.MessageRedacted):
        _redact(context, event)
        return
    user, bot = context.latest_message, context.latest_bot_message
    if user is not None and user.event == event.message:
        context.latest_message = replace(user, text=event.text)
    if bot is not None and bot.event == event.message:
        context.latest_bot_message = replace(bot, text=event.text)


def _redact(context: Context, event: e.MessageRedacted) -> None:
    user, bot, loop = context.latest_message, context.latest_bot_message, context.loop
    if user is not None and user.event == event.message:
        context.latest_message = user.without_words()
    if bot is not None and bot.event in (event.message, *event.events):
        context.latest_bot_message = replace(bot, text=None)
    if loop is not None and loop.trigger is not None and loop.trigger.event == event.message:
        context.loop = replace(loop, trigger=loop.trigger.without_words())


# --- actions and slots --------------------------------------------------------------------------


def _action_executed(state: State, event: e.ActionExecuted) -> None:
    context = state.context
    context.latest_action = Action(state.event, event.name, event.action_text)
    context.followup = None
    if (loop := context.loop) is not None:
        rejected = loop.rejected and event.name != loop.name
        context.loop = replace(loop, is_interrupted=False, rejected=rejected)


def _action_rejected(state: State, event: e.ActionRejected) -> None:
    loop = state.context.loop
    if loop is not None and loop.name == event.name:
        state.context.loop = replace(loop, rejected=True)


def _slot_set(state: State, event: e.SlotSet) -> None:
    name, value = event.name, event.value
    slot = state.declared.get(name)
    if slot is None and state.closed:
        return
    if value is None:
        state.context.slots.pop(name, None)
    else:
        state.context.slots[name] = value if slot is None else slot.coerce(value)


def _slots_reset(state: State, event: e.SlotsReset) -> None:
    state.context.slots = state.initial_slots


def _followup_set(state: State, event: e.FollowupSet) -> None:
    state.context.followup = event.name


def _conversation_paused(state: State, event: e.ConversationPaused) -> None:
    state.context.paused = True


def _conversation_resumed(state: State, event: e.ConversationResumed) -> None:
    state.context.paused = False


def _loop_activated(state: State, event: e.LoopActivated) -> None:
    context = state.context
    context.loop = Loop(event.name, trigger=context.latest_message) if event.name else None
    if event.name and event.name not in state.loops:
        state.loops = (*state.loops, event.name)


def _loop_interrupted(state: State, event: e.LoopInterrupted) -> None:
    if (loop := state.context.loop) is not None:
        state.context.loop = replace(loop, is_interrupted=event.is_interrupted)


# --- session threads ----------------------------------------------------------------------------


def _thread_started(state: State, event: e.ThreadStarted) -> None:
    variables = state.thread.variables if state.thread else {}
    here = f"{event.unit}.{event.state}"
    state.thread = Thread(
        event.unit, event.state, entered=event.timestamp, variables=variables, path=(here,)
    )


def _state_entered(state: State, event: e.StateEntered) -> None:
    thread = state.thread or Thread()
    path = thread.path
    if event.by == "back":
        path = path[:-1]
    elif event.by == "start":
        path = (*path, f"{event.unit}.{event.state}")[-PATH_KEPT:]
    state.thread = replace(
        thread, unit=event.unit, state=event.state, entered=event.timestamp, path=path
    )


def _prompt_armed(state: State, event: e.PromptArmed) -> None:
    thread = state.thread or Thread()
    prompt = Prompt(
        event.due, event.attempt, event.text, event.wait, event.attempts, event.on_timeout
    )
    state.thread = replace(thread, prompts={**thread.prompts, event.token: prompt}, asked=prompt)


def _prompt_closed(
    state: State, event: e.PromptAnswered | e.PromptTimedOut | e.PromptCancelled
) -> None:
    if (thread := state.thread) is not None and event.token in thread.prompts:
        prompts = {token: p for token, p in thread.prompts.items() if token != event.token}
        state.thread = replace(thread, prompts=prompts)


def _thread_ended(state: State, event: e.ThreadEnded) -> None:
    state.thread = replace(state.thread or Thread(), ended=event.reason, prompts={})


def _variable_set(state: State, event: e.VariableSet) -> None:
    thread = state.thread or Thread()
    unit = {**thread.variables.get(event.unit, {}), event.name: event.value}
    state.thread = replace(thread, variables={**thread.variables, event.unit: unit})


def _variable_removed(state: State, event: e.VariableRemoved) -> None:
    thread = state.thread or Thread()
    variables = {**thread.variables}
    unit = variables.pop(event.unit, {})
    if event.name is not None:
        variables[event.unit] = {name: v for name, v in unit.items() if name != event.name}
    state.thread = replace(thread, variables=variables)


# --- people and keeping -------------------------------------------------------------------------


def _user_identified(state: State, event: e.UserIdentified) -> None:
    state.user = event.user


def _identity_merged(state: State, event: e.IdentityMerged) -> None:
    state.user = event.user
    if event.other not in state.identities:
        state.identities = (*state.identities, event.other)


def _handover_started(state: State, event: e.HandoverStarted) -> None:
    state.handover = event.to or "human"


def _handover_ended(state: State, event: e.HandoverEnded) -> None:
    state.handover = None


def _tagged(state: State, event: e.ConversationTagged) -> None:
    state.tags = tuple(dict.fromkeys((*state.tags, *event.tags)))


def _untagged(state: State, event: e.ConversationUntagged) -> None:
    state.tags = tuple(tag for tag in state.tags if tag not in event.tags)


def _deleted(state: State, event: e.ConversationDeleted) -> None:
    """Nothing of what was said is left in a state; the counts are."""
    line = state.lineage
    lineage = Lineage(origin=line.origin, shared=line.shared, turns=line.turns, trial=line.trial)
    bare = State(
        event=state.event, turn=state.turn, deleted=True, redacted=state.redacted, lineage=lineage
    )
    for name in State.__struct_fields__:
        setattr(state, name, getattr(bare, name))


def _erased(state: State, event: e.EventErased) -> None:
    """Of what was dropped only that it was there counts."""
    opens_turn = event.was == e.UserUttered.__name__
    state.turn += opens_turn
    state.context.turn += opens_turn


def _origin_deleted(state: State, event: e.OriginDeleted) -> None:
    """Of what was shared with the origin only the counts are left."""
    state.redacted = True
    for name in (*OF_PEOPLE, *IN_CONTEXT):
        if name not in event.fields:
            held, bare = (state, State()) if name in OF_PEOPLE else (state.context, Context())
            setattr(held, name, getattr(bare, name))
    context = state.context
    context.slots = {name: value for name, value in context.slots.items() if name in event.slots}
    state.tags = tuple(tag for tag in state.tags if tag in event.tags)


OF_PEOPLE = ("thread", "channel", "user", "identities", "handover")
"""Of a state, what may come from a past that is hidden."""

IN_CONTEXT = ("latest_message", "latest_bot_message", "latest_action", "loop", "stack")
"""The same of its context."""


# --- flows --------------------------------------------------------------------------------------


def _stack_updated(state: State, event: e.StackUpdated) -> None:
    context = state.context
    before = context.stack or []
    try:
        after = patched(before, event.update)
    except BadPatch:
        after = before
    context.stack = after if isinstance(after, list) and not unholdable(after) else before


_EFFECTS: dict[type[e.Event], Callable[[State, Any], None]] = {
    e.SlotsDeclared: _slots_declared,
    e.SessionConfigured: _session_configured,
    e.SessionStarted: _session_started,
    e.SessionExpired: _session_expired,
    e.SessionEnded: _session_ended,
    e.UserUttered: _user_uttered,
    e.MessageUnderstood: _message_understood,
    e.BotUttered: _bot_uttered,
    e.UserFeaturized: _user_featurized,
    e.EntitiesAdded: _entities_added,
    e.MessageEdited: _message_rewritten,
    e.MessageRegenerated: _message_rewritten,
    e.MessageRedacted: _message_redacted,
    e.ActionExecuted: _action_executed,
    e.ActionRejected: _action_rejected,
    e.SlotSet: _slot_set,
    e.SlotsReset: _slots_reset,
    e.ConversationRestarted: _conversation_restarted,
    e.FollowupSet: _followup_set,
    e.ConversationPaused: _conversation_paused,
    e.ConversationResumed: _conversation_resumed,
    e.LoopActivated: _loop_activated,
    e.LoopInterrupted: _loop_interrupted,
    e.StackUpdated: _stack_updated,
    e.ThreadStarted: _thread_started,
    e.StateEntered: _state_entered,
    e.PromptArmed: _prompt_armed,
    e.PromptAnswered: _prompt_closed,
    e.PromptTimedOut: _prompt_closed,
    e.PromptCancelled: _prompt_closed,
    e.ThreadEnded: _thread_ended,
    e.VariableSet: _variable_set,
    e.VariableRemoved: _variable_removed,
    e.UserIdentified: _user_identified,
    e.IdentityMerged: _identity_merged,
    e.HandoverStarted: _handover_started,
    e.HandoverEnded: _handover_ended,
    e.ConversationTagged: _tagged,
    e.ConversationUntagged: _untagged,
    e.ConversationDeleted: _deleted,
    e.EventErased: _erased,
    e.OriginDeleted: _origin_deleted,
}

FOLDED: frozenset[type[e.Event]] = frozenset(_EFFECTS) | REWINDS
"""Events that change a state; `data` and `extra` of theirs never do."""

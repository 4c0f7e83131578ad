"""The effects of messages, and of events that change messages."""

from __future__ import annotations

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.context import BotMessage, Context, LatestMessage
from turnlog.domain.effects.effect import Effects
from turnlog.domain.effects.slots import note_touched
from turnlog.domain.state import LISTEN, State
from turnlog.domain.traits import Rewrite


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
    note_touched(state, event.slots)
    for name in event.slots:
        if state.context.slots.pop(name, None) is not None:
            state.context.since[name] = state.event


def rewrite(context: Context, event: Rewrite) -> None:
    """Give the latest messages the words that an edit or a redaction leaves."""
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


EFFECTS: Effects = {
    e.UserUttered: _user_uttered,
    e.MessageUnderstood: _message_understood,
    e.BotUttered: _bot_uttered,
    e.UserFeaturized: _user_featurized,
    e.EntitiesAdded: _entities_added,
    e.MessageEdited: _message_rewritten,
    e.MessageRegenerated: _message_rewritten,
    e.MessageRedacted: _message_redacted,
}

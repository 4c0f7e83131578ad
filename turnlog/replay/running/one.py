"""Replays one conversation: sends every recorded message to the bot again."""

from __future__ import annotations

import time
from collections import Counter
from itertools import islice, takewhile
from typing import Any

from msgspec.structs import replace

from turnlog.domain.conversation import Conversation
from turnlog.domain.dialogue import Turn
from turnlog.domain.fold import Fold
from turnlog.domain.traits import opens_turn
from turnlog.engine.log import Turnlog
from turnlog.engine.shared_pasts import SharedPasts
from turnlog.replay.comparing.coverage import covered
from turnlog.replay.comparing.difference import Difference, differences
from turnlog.replay.divergence import Divergence, link
from turnlog.replay.grouping.group_key import key
from turnlog.replay.record.turns import said_turns
from turnlog.replay.replayed import ReplayedConversation
from turnlog.replay.running.asking import Asker


async def replay_one(log: Turnlog, id: str, asker: Asker) -> ReplayedConversation:
    """The turns of a conversation that the bot answers differently.

    The bot answers every turn after the recorded events before it, whatever it said there.
    """
    began, rules = time.perf_counter(), asker.rules
    conversation = log.conversation(id)
    events = list(conversation.events())
    folded = Fold(lambda: events)
    folded.take(takewhile(lambda event: not opens_turn(event), events))
    counts: Counter[str] = Counter()
    found: list[Divergence] = []
    used: set[str] = set()
    shared = shared_turns(log, conversation) if asker.settings.once else 0
    for turn, answer, why, calls in said_turns(events, conversation.gaps(events)):
        reason = "shared" if turn.number <= shared else why
        folded.take(turn.events[:1])
        counts[reason or "turns"] += 1
        if reason is None and turn.message is not None:
            scratch = conversation.earlier(folded.state.copy())
            said = await asker.answer(scratch, turn.message, calls)
            actual = [conversation.as_shown(turn.first_event, event) for event in said]
            used.update(covered(rules, [*(event for _, event in answer), *actual]))
            differing = differences(answer, actual, rules, folded.state)
            for each in differing if asker.settings.every else islice(differing, 1):
                slots = conversation.earlier(folded.state).slots
                found.append(divergence(id, turn, slots, each))
        folded.take(turn.events[1:])
    seconds = time.perf_counter() - began
    return ReplayedConversation(
        id,
        divergences=tuple(found),
        covered=frozenset(used),
        seconds=seconds,
        version=asker.loaded.version,
        **dict[str, Any](counts),
    )


def shared_turns(log: Turnlog, fork: Conversation) -> int:
    """How many turns of a conversation belong to the origin of which it is a fork, and which
    counts.
    """
    if fork.state.lineage.origin is None:
        return 0
    head, state = log.head(fork.id)
    pasts = SharedPasts(log, lambda head, state: not state.lineage.trial)
    held = pasts.of(head, state)
    return fork.at(held.events).turn if held.events else 0


def divergence(id: str, turn: Turn, slots: dict[str, Any], difference: Difference) -> Divergence:
    """How a turn differs. slots: those before the answer."""
    event = turn.first_event if difference.event is None else difference.event
    found = Divergence(
        conversation=id,
        turn=turn.number,
        event=event,
        message=turn.message.text if turn.message else None,
        kind=difference.kind,
        path=difference.path,
        expected=difference.expected,
        actual=difference.actual,
        slots=slots,
        link=link(id, event),
    )
    return replace(found, group=key(found, difference.compared, difference.action, turn.events))

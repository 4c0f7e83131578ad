"""One conversation replayed: every recorded message is put to the bot again."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from typing import Any

from msgspec.structs import replace

from turnlog.bots import LoadedBot, ask
from turnlog.domain.conversation import Conversation
from turnlog.domain.dialogue import Turn
from turnlog.domain.events import AnswerEnded, BotFailed, Event, UserUttered
from turnlog.domain.fold import Fold
from turnlog.domain.traits import opens_turn
from turnlog.encoding.checking import checked
from turnlog.engine.log import Turnlog
from turnlog.errors import ConversationError
from turnlog.replay.comparing import Difference, difference
from turnlog.replay.coverage import covered
from turnlog.replay.divergence import Divergence, link
from turnlog.replay.groups import key
from turnlog.replay.recorded import Recorded, RecordedConversation
from turnlog.replay.replayed import ReplayedConversation
from turnlog.replay.rules import Rules
from turnlog.replay.turns import recorded_turns

GRACE_SECONDS = 1.0
"""Seconds that a bot gets beyond its time before what it does is broken off."""


class Stuck(BaseException):
    """Raised within a bot that blocks; no Exception, so that the bot does not catch it."""


async def replay_one(
    log: Turnlog, id: str, loaded: LoadedBot, *, rules: Rules, timeout: float
) -> ReplayedConversation:
    """The turns of a conversation that the bot answers in another way than was recorded.

    Every turn is answered on top of the recorded events before it, whatever the bot said there.
    timeout: seconds an answer may take.
    """
    began = time.perf_counter()
    conversation = log.conversation(id)
    folded = Fold(conversation.events)
    folded.take(_before_turns(conversation))
    counts: Counter[str] = Counter()
    found: list[Divergence] = []
    used: set[str] = set()
    for turn, answer, reason, calls in recorded_turns(conversation):
        folded.take(turn.events[:1])
        counts[reason or "turns"] += 1
        if reason is None and turn.message is not None:
            scratch = conversation.earlier(folded.state.copy())
            slots = dict(scratch.slots)
            said = await _answer(scratch, turn.message, calls, loaded, timeout)
            actual = [conversation.as_shown(turn.first_event, event) for event in said]
            used.update(covered(rules, [*(event for _, event in answer), *actual]))
            first = difference(answer, actual, rules, folded.state)
            if first is not None:
                found.append(divergence(id, turn, slots, first))
        folded.take(turn.events[1:])
    seconds = time.perf_counter() - began
    return ReplayedConversation(
        id, divergences=tuple(found), covered=frozenset(used), seconds=seconds, **counts
    )


def _before_turns(conversation: Conversation) -> Iterator[Event]:
    return takewhile(lambda event: not opens_turn(event), conversation.events())


def divergence(id: str, turn: Turn, slots: dict[str, Any], difference: Difference) -> Divergence:
    """How a turn differs. slots: those it was answered on top of."""
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
    return replace(found, group=key(found))


async def _answer(
    scratch: Conversation,
    message: UserUttered,
    calls: Sequence[Recorded],
    loaded: LoadedBot,
    timeout: float,
) -> list[Event]:
    """The bot's calls and then its events, as the log would have kept them; nothing is stored."""
    seen = RecordedConversation(scratch, calls, message.timestamp or 0.0)
    try:
        with broken_off(timeout + GRACE_SECONDS):
            answer: Sequence[Event] = await ask(loaded.bot, seen, message, timeout, seen.answer)
    except Stuck:
        answer = [BotFailed("timeout", f"no answer within {timeout:g} s; it blocked")]
    try:
        await seen.answer.end_message()
        kept = checked(scratch.id, answer)
        answer = scratch.stage(*kept, recorded=0.0, now=message.timestamp).events
    except ConversationError as error:
        answer = [BotFailed("error", f"its answer cannot be recorded: {error}")]
    ended = [AnswerEnded()] if seen.answer.streams else []
    return [*seen.called, *seen.answer.events, *answer, *ended]


@contextmanager
def broken_off(seconds: float) -> Iterator[None]:
    """Raise Stuck in what still runs then, where that can be done: in a process's main thread.

    Somebody else's alarm that is due before goes off as it would; a later one is put back.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return
    remaining, interval = signal.getitimer(signal.ITIMER_REAL)
    if 0 < remaining <= seconds:
        yield
        return
    began = time.monotonic()
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if remaining:
            left = max(remaining - (time.monotonic() - began), 0.001)
            signal.setitimer(signal.ITIMER_REAL, left, interval)


def _stop(number: int, frame: Any) -> None:
    raise Stuck

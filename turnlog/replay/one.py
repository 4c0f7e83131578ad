"""One conversation replayed: every recorded message is put to the bot again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from turnlog.bots import LoadedBot, ask
from turnlog.domain.calls import answers
from turnlog.domain.conversation import Conversation
from turnlog.domain.dialogue import Turn, turns
from turnlog.domain.events import AnswerEnded, BotFailed, Event, ToolCalled, UserUttered
from turnlog.domain.fold import Fold
from turnlog.encoding.checking import checked
from turnlog.engine.log import Turnlog
from turnlog.errors import ConversationError
from turnlog.replay.comparing import difference, own
from turnlog.replay.divergence import Divergence
from turnlog.replay.recorded import Recorded, RecordedConversation
from turnlog.replay.rules import Rules

GRACE_SECONDS = 1.0
"""Seconds that a bot gets beyond its time before what it does is broken off."""


class Stuck(BaseException):
    """Raised within a bot that blocks; no Exception, so that the bot does not catch it."""


async def replay_one(
    log: Turnlog, id: str, loaded: LoadedBot, *, rules: Rules, timeout: float
) -> Divergence | None:
    """The first turn of a conversation that the bot answers in another way than was recorded.

    Every turn is answered on top of the recorded events before it, whatever the bot said there.
    A turn in which something was redacted is not asked again: nobody knows what was said.
    timeout: seconds an answer may take.
    """
    conversation = log.conversation(id)
    results = answers(enumerate(conversation.events(), 1))
    folded = Fold(conversation.events)
    for turn in turns(conversation.events()):
        folded.take(turn.events[:1])
        if turn.message is not None and not any(conversation.hides(n) for n, _ in turn.numbered()):
            scratch = conversation.earlier(folded.state.copy())
            calls = list(_calls(turn, results))
            actual = await _answer(scratch, turn.message, calls, loaded, timeout)
            expected = own(turn.first_event, turn.events[1:])
            first = difference(expected, actual, rules)
            if first is not None:
                return Divergence(id, turn.number, first.kind, first.expected, first.actual)
        folded.take(turn.events[1:])
    return None


def _calls(turn: Turn, results: dict[int, Any]) -> Iterator[Recorded]:
    for number, event in turn.numbered():
        if isinstance(event, ToolCalled) and event.actor != "user":
            yield event, results.get(number)


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
        with _broken_off(timeout + GRACE_SECONDS):
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
def _broken_off(seconds: float) -> Iterator[None]:
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

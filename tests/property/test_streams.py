"""A streamed answer is the same in the log however often its bot ran again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import turnlog
from turnlog import BotUttered, Chunk, Event, ReasoningAdded, SlotSet, UserUttered
from turnlog.bots import LiveConversation, LoadedBot, ask
from turnlog.bots.keys import answer_key
from turnlog.server.pending_message import pending_message

TEXTS = st.sampled_from(["a", "b", "", "a b"])
PIECES = st.one_of(
    TEXTS.map(Chunk),
    TEXTS,
    TEXTS.map(BotUttered),
    st.builds(SlotSet, st.sampled_from("xy"), st.integers(0, 2)),
    TEXTS.map(ReasoningAdded),
    st.sampled_from(["call look", "call see"]).map(lambda call: (call,)),
)


class Killed(BaseException):
    """Behaves like a process."""


async def answered(pieces: list[Any], kills: list[int]) -> tuple[list[Event], list[str]]:
    """The events of an answer whose bot was killed after so many pieces each time, and the calls
    that its tools received.
    """
    ran: list[str] = []
    left = 0

    async def bot(conversation: Any, message: UserUttered) -> AsyncIterator[Any]:
        for done, piece in enumerate(pieces):
            if done == left:
                raise Killed
            if isinstance(piece, tuple):
                await conversation.call(piece[0])
            else:
                yield piece

    def tool(name: str) -> Any:
        return lambda: ran.append(name)

    loaded = LoadedBot(bot, {name: tool(name) for name in ("call look", "call see")})
    async with turnlog.AsyncTurnlog(turnlog.open("memory:", clock=lambda: 1.0)) as log:
        await log.record("a", UserUttered("hi"))
        for kill in [*kills, len(pieces)]:
            left = kill
            pending = pending_message(log.sync, "a", None)
            assert pending is not None
            view = LiveConversation(
                log, pending.conversation, loaded, pending.number, known=pending.pieces
            )
            assert [type(e) for e in view.events()] == [UserUttered]
            try:
                assert await ask(bot, view, pending.message, hearer=view.answer) == ()
            except Killed:
                continue
            last = await view.answer.close()
            ended = [last] if last else []
            await log.record("a", *ended, turnlog.AnswerEnded(), key=answer_key(1))
        return list(log.sync.conversation("a").events()), ran


@given(st.lists(PIECES, max_size=8), st.lists(st.integers(0, 7), max_size=4))
def test_an_answer_is_the_same_after_any_number_of_repeated_runs(
    pieces: list[Any], kills: list[int]
) -> None:
    kills = [kill for kill in kills if kill < len(pieces)]
    whole, called = asyncio.run(answered(pieces, []))
    again, called_again = asyncio.run(answered(pieces, kills))
    assert [plain(event) for event in again] == [plain(event) for event in whole]
    assert called_again == called


def plain(event: Event) -> dict[str, Any]:
    return {name: held for name, held in event.as_dict().items() if name != "cause"}

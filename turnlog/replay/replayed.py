"""What the replay of a conversation gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from turnlog.domain.amounts import amount
from turnlog.errors import BotError
from turnlog.replay.divergence import Divergence


class ReplayedConversation(msgspec.Struct, frozen=True):
    """turns: those that were put to the bot; the others are counted by why they were not.

    divergences: those of all turns that differ, in order. covered: the rules that were about
    something in it. seconds: how long it took.
    """

    conversation: str
    turns: int = 0
    divergences: tuple[Divergence, ...] = ()
    redacted: int = 0
    unanswered: int = 0
    taken_back: int = 0
    foreign: int = 0
    covered: frozenset[str] = frozenset()
    seconds: float = 0.0

    @property
    def first(self) -> Divergence | None:
        return self.divergences[0] if self.divergences else None


SKIPPED = ("redacted", "unanswered", "taken_back", "foreign")
"""Why turns are not put to a bot."""


def check_something_was_replayed(replayed: Iterable[ReplayedConversation]) -> None:
    """Raise BotError where no turn was put to the bot: nobody shall take that for success."""
    conversations, skipped = 0, Counter[str]()
    for each in replayed:
        if each.turns:
            return
        conversations += 1
        skipped.update({reason: getattr(each, reason) for reason in SKIPPED})
    why = ", ".join(f"{count:,} {reason}" for reason, count in skipped.items() if count)
    turns = f"turns: {why}" if why else "no turns"
    raise BotError(f"nothing was replayed: {amount(conversations, 'conversation')}, {turns}")

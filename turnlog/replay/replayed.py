"""The result of replaying a conversation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from turnlog.domain.amounts import amount
from turnlog.errors import BotError
from turnlog.replay.divergence import Divergence


class ReplayedConversation(msgspec.Struct, frozen=True):
    """turns: those sent to the bot; the others are counted by reason.

    divergences: of all turns that differ, in order; accepted: those that are known and wanted.
    covered: the rules that applied to something in it. seconds: how long it took. version: the
    bot's, if it has one.
    """

    conversation: str
    turns: int = 0
    divergences: tuple[Divergence, ...] = ()
    accepted: tuple[Divergence, ...] = ()
    redacted: int = 0
    unanswered: int = 0
    taken_back: int = 0
    foreign: int = 0
    shared: int = 0
    covered: frozenset[str] = frozenset()
    seconds: float = 0.0
    version: str | None = None

    @property
    def first(self) -> Divergence | None:
        """The first divergence, or None."""
        return self.divergences[0] if self.divergences else None


NOT_REPLAYED = ("redacted", "unanswered", "taken_back", "foreign", "shared")
"""Reasons why turns are not sent to the bot; the fields that count them."""


def not_replayed(replayed: Iterable[ReplayedConversation]) -> str:
    """How many turns were skipped, by reason: `3 redacted, 1 unanswered`."""
    counts = Counter[str]()
    for one in replayed:
        counts.update({name: getattr(one, name) for name in NOT_REPLAYED})
    named = ((name.replace("_", " "), counts[name]) for name in NOT_REPLAYED)
    return ", ".join(f"{count:,} {name}" for name, count in named if count)


def check_something_was_replayed(replayed: Sequence[ReplayedConversation]) -> None:
    """Raise BotError if no turn was sent to the bot, which must not count as success."""
    if any(each.turns for each in replayed):
        return
    turns = f"turns: {why}" if (why := not_replayed(replayed)) else "no turns"
    raise BotError(f"nothing was replayed: {amount(len(replayed), 'conversation')}, {turns}")

"""What the replay of a conversation gives."""

from __future__ import annotations

import msgspec

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

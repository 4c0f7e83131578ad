"""The outcome of one conversation in an export."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from turnlog.domain.judgements import Contradiction
from turnlog.engine.shared_pasts import NOTHING, HeldPast
from turnlog.serializers.shared.codec import Example
from turnlog.training.records.manifest import FaultyConversation


class ExampleOutcome(msgspec.Struct, frozen=True):
    """Its examples, or why it has none. refused: whether the format cannot hold one of its values.

    left_out: events that do not count, by reason. held: the part that another conversation
    contains; held_turns: its number of turns. noted: counts of what users of the examples should
    know.
    """

    conversation: str
    stream: int
    examples: Sequence[Example] = ()
    fault: FaultyConversation | None = None
    refused: bool = False
    left_out: dict[str, int] = {}
    held: HeldPast = NOTHING
    held_turns: int = 0
    contradictions: Sequence[Contradiction] = ()
    noted: dict[str, int] = {}

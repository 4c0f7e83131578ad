"""What became of one conversation in an export."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from turnlog.domain.judgements import Contradiction
from turnlog.engine.shared_pasts import NOTHING, HeldPast
from turnlog.serializers.shared.codec import Example
from turnlog.training.records.manifest import FaultyConversation


class ExampleOutcome(msgspec.Struct, frozen=True):
    """Its examples, or why there are none. refused: whether the format cannot hold a value of it.

    left_out: events that do not count, by reason. held: what of it another conversation holds;
    held_turns: in how many turns. noted: what is worth knowing of all of it, counted.
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

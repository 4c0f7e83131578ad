"""How long conversations are kept: rules, and which of them says what of a conversation."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class RetentionRule(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """For conversations of a channel, with a tag and with an outcome, of any where it says none.

    floor, ceiling: seconds after its last event; before the floor a conversation is not erased,
    after the ceiling it is. None: there is none.
    """

    name: str
    channel: str | None = None
    tag: str | None = None
    outcome: str | None = None
    floor: float | None = None
    ceiling: float | None = None


class Aged(msgspec.Struct, frozen=True):
    """What rules look at. last: when its last event was, UTC seconds."""

    conversation: str
    channel: str | None
    tags: Sequence[str]
    outcome: str | None
    last: float


def rule_for(rules: Sequence[RetentionRule], aged: Aged) -> RetentionRule | None:
    """The first that fits."""
    return next((rule for rule in rules if _fits(rule, aged)), None)


def _fits(rule: RetentionRule, aged: Aged) -> bool:
    return (
        rule.channel in (None, aged.channel)
        and (rule.tag is None or rule.tag in aged.tags)
        and rule.outcome in (None, aged.outcome)
    )

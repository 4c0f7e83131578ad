"""How long conversations are kept: rules, and which of them applies to a conversation."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class RetentionRule(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A rule for conversations of a channel, with a tag and with an outcome; None matches any.

    floor, ceiling: seconds after its last event; a conversation is not erased before the floor, and
    is erased after the ceiling. None: no such limit.
    """

    name: str
    channel: str | None = None
    tag: str | None = None
    outcome: str | None = None
    floor: float | None = None
    ceiling: float | None = None


class Aged(msgspec.Struct, frozen=True):
    """What rules look at. last: the time of its last event, UTC seconds."""

    conversation: str
    channel: str | None
    tags: Sequence[str]
    outcome: str | None
    last: float


def rule_for(rules: Sequence[RetentionRule], aged: Aged) -> RetentionRule | None:
    """The first matching rule."""
    return next((rule for rule in rules if _fits(rule, aged)), None)


def _fits(rule: RetentionRule, aged: Aged) -> bool:
    return (
        rule.channel in (None, aged.channel)
        and (rule.tag is None or rule.tag in aged.tags)
        and rule.outcome in (None, aged.outcome)
    )

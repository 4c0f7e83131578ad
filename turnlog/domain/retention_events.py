"""Retention rules, and restrictions."""

from __future__ import annotations

from turnlog.domain.event import Event
from turnlog.domain.retention import RetentionRule


class RetentionRulesSet(Event, tag=142, frozen=True, array_like=True, gc=False):
    """From here on the log keeps conversations by these rules, the first match each; in the log's
    own stream.
    """

    rules: tuple[RetentionRule, ...]


class ProcessingRestricted(Event, tag=143, frozen=True, array_like=True, gc=False):
    """The conversation is kept but not used (GDPR, Article 18): it cannot be read, replayed,
    exported or continued until the restriction is lifted.
    """

    reason: str | None = None


class RestrictionLifted(Event, tag=144, frozen=True, array_like=True, gc=False):
    """The conversation may be read and continued again."""

    reason: str | None = None

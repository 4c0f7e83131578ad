"""How long a log keeps conversations, and what it only keeps."""

from __future__ import annotations

from turnlog.domain.event import Event
from turnlog.domain.retention import RetentionRule


class RetentionRulesSet(Event, tag=142, frozen=True, array_like=True, gc=False):
    """From here on the log keeps conversations by these rules, the first that fits each; in the
    log's own stream.
    """

    rules: tuple[RetentionRule, ...]


class ProcessingRestricted(Event, tag=143, frozen=True, array_like=True, gc=False):
    """The conversation is kept and nothing else (GDPR, Article 18): it is not read, replayed,
    exported or gone on with until the restriction is lifted.
    """

    reason: str | None = None


class RestrictionLifted(Event, tag=144, frozen=True, array_like=True, gc=False):
    """The conversation may be read and gone on with again."""

    reason: str | None = None

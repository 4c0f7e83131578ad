"""Events that someone has to account for: disclosure, incidents, outcomes, recipients."""

from __future__ import annotations

from turnlog.domain.event import Event


class AiDisclosed(Event, tag=112, frozen=True, array_like=True, gc=False):
    """The user learned that an AI answers (AI Act, Article 50); text: the words used.

    way: message, banner, voice, or another.
    """

    text: str | None = None
    way: str | None = None


class IncidentReported(Event, tag=113, frozen=True, array_like=True, gc=False):
    """Something went wrong that must be investigated (AI Act, Article 73).

    kind: harm, discrimination, leak, or another. severity: as the reporter judges it.
    """

    kind: str
    severity: str | None = None
    detail: str | None = None


class OutcomeRecorded(Event, tag=114, frozen=True, array_like=True, gc=False):
    """How the conversation ended for the user: resolved, abandoned, handed over, a test's score."""

    outcome: str | None = None
    succeeded: bool | None = None
    score: float | None = None
    comment: str | None = None


class _Exported(Event, frozen=True, array_like=True, gc=False):
    recipient: str
    format: str | None = None
    purpose: str | None = None
    manifest: str | None = None


class ConversationExported(
    _Exported, tag=115, frozen=True, array_like=True, kw_only=True, gc=False
):
    """The conversation was given to a recipient; manifest: SHA-256 of the export's manifest.

    streams: the numbers of the conversations, if recorded in the log's own stream. export: the id
    in the export's manifest.
    """

    streams: tuple[int, ...] = ()
    export: str | None = None


class KeyStoreUsed(Event, tag=130, frozen=True, array_like=True, gc=False):
    """The log is sealed from here on; in the log's own stream. store: the id of its key store."""

    store: str

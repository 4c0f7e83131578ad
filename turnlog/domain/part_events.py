"""Parts of messages, and events about an answer as a whole (ADR 14)."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.attachment import Attachment
from turnlog.domain.event import Event


class Usage(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """What an answer used. Tokens of each kind; cost in units of `currency`; seconds.

    cached: of the input. reasoning: of the output. details: a provider's own counts.
    """

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None
    cost: float | None = None
    currency: str | None = None
    latency: float | None = None
    first_token: float | None = None
    details: dict[str, Any] | None = None


class _Part(Event, frozen=True, array_like=True, kw_only=True, gc=False):
    at: int | None = None


class TextAdded(_Part, tag=96, frozen=True, array_like=True, gc=False):
    """A further text of a message.

    at, in this and every other part: its place among the message's parts, from 0, if that precedes
    an earlier recorded part. actor: `user`, `system` or `tool` for their parts.
    """

    text: str | None = None


class ReasoningAdded(_Part, tag=97, frozen=True, array_like=True, gc=False):
    """The model's reasoning before its answer.

    signature: the provider's, as text. opaque: what only the provider can read.
    """

    text: str | None = None
    signature: str | None = None
    opaque: Any = None


class RefusalAdded(_Part, tag=98, frozen=True, array_like=True, gc=False):
    """The model refused; text is what it said instead of an answer."""

    text: str | None = None


class MediaAdded(_Part, tag=99, frozen=True, array_like=True, gc=False):
    """An image, a sound, a video or a document: its bytes, its digest or its address.

    kind: image, audio, video or file. sha256: of the bytes, in hexadecimal digits.
    """

    kind: str
    mime: str | None = None
    uri: str | None = None
    sha256: str | None = None
    content: bytes | Attachment | None = None
    filename: str | None = None


class OpaqueAdded(_Part, tag=100, frozen=True, array_like=True, gc=False):
    """A part that only its source understands. kind: the source's name for it."""

    source: str
    kind: str
    content: Any = None


class AnswerMeasured(Event, tag=101, frozen=True, array_like=True, gc=False):
    """What an answer used and why it ended; message: its first event, None for the latest.

    finish: stop, length, tool_calls, content_filter, or a provider's own word.
    """

    message: int | None = None
    usage: Usage | None = None
    model: str | None = None
    finish: str | None = None


class AnswerBrokenOff(Event, tag=102, frozen=True, array_like=True, gc=False):
    """An answer ended before it was complete; message: its first event, None for the latest."""

    message: int | None = None
    reason: str | None = None


class AnswerEnded(Event, tag=120, frozen=True, array_like=True, gc=False):
    """A streaming bot finished its answer to the message that is the cause."""

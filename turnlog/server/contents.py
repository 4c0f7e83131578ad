"""Downloads of an event's bytes, safe from hostile content: nothing runs in a page.

Bytes are addressed by event number, so those that are redacted, deleted or in another conversation
are not found.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from io import BytesIO
from mimetypes import guess_extension
from typing import BinaryIO
from urllib.parse import quote

import msgspec
from litestar.openapi import ResponseSpec
from litestar.response import Stream

from turnlog import AsyncTurnlog
from turnlog.domain.attachment import Attachment
from turnlog.domain.events import Event, ForeignRecorded, MediaAdded
from turnlog.engine.log import Turnlog
from turnlog.server.errors import RequestRefused

READ_AT_ONCE = 262_144

UNKNOWN = "application/octet-stream"
_SAFE = re.compile(
    "(image|audio|video)/(?![^/]*xml)[a-z0-9][a-z0-9.+-]*"
    "|text/(plain|csv|markdown)|application/(pdf|json|zip|gzip|ogg|msword|vnd[a-z0-9.-]*)"
)
"""Types that no browser treats as a page, a script or a style sheet."""

HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

RESPONSES = {
    200: ResponseSpec(bytes, media_type=UNKNOWN, description="The bytes, with a safe media type"),
    404: ResponseSpec(None, description="No such event, or one without bytes"),
}


class ServedContent(msgspec.Struct, frozen=True):
    """length: in bytes. type: a media type that is safe to send."""

    file: BinaryIO
    length: int
    type: str
    filename: str


async def download(log: AsyncTurnlog, conversation: str, event: int) -> Stream:
    """The download. Raises RequestRefused (404) if the event does not exist or has no bytes."""
    content, first = await log.read(lambda log: _begun(log, conversation, event))
    headers = {
        **HEADERS,
        "Content-Length": str(content.length),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(content.filename, safe='')}",
    }
    return Stream(_pieces(log, content.file, first), media_type=content.type, headers=headers)


async def _pieces(log: AsyncTurnlog, file: BinaryIO, piece: bytes) -> AsyncIterator[bytes]:
    """Sends pieces at the reader's pace, without a thread that waits for them."""
    while piece:
        yield piece
        piece = await log.read(lambda _: file.read(READ_AT_ONCE))


def _begun(log: Turnlog, conversation: str, event: int) -> tuple[ServedContent, bytes]:
    """Reads the first piece first, so that missing bytes are refused before any are sent."""
    found = log.conversation(conversation).event(event)
    content = None if found is None else content_of(found, event)
    if content is None:
        raise RequestRefused(404, "NotFound", f"event {event} has no bytes")
    return content, content.file.read(READ_AT_ONCE)


def content_of(event: Event, number: int) -> ServedContent | None:
    """The bytes that an event has, and how they are sent."""
    held = bytes_of(event)
    if held is None:
        return None
    type = safe_type(event)
    name = getattr(event, "filename", None) or f"event-{number}{guess_extension(type) or ''}"
    file = held.open() if isinstance(held, Attachment) else BytesIO(held)
    return ServedContent(file, len(held), type, name)


def bytes_of(event: Event) -> bytes | Attachment | None:
    """The content of a medium or of a framework's own record, or None."""
    if isinstance(event, MediaAdded):
        return event.content
    return event.body or None if isinstance(event, ForeignRecorded) else None


def safe_type(event: Event) -> str:
    """The media type that an event names for its bytes, unless a browser would run them."""
    held = bytes_of(event)
    given = getattr(event, "mime", None) or getattr(held, "type", None) or UNKNOWN
    essence: str = given.partition(";")[0].strip().lower()
    return essence if _SAFE.fullmatch(essence) else UNKNOWN

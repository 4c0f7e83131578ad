"""What routes and channels read of a request, and refuse where it is not what it must be."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request

from turnlog.server.errors import RequestRefused

Json = Request[Any, Any, Any]


async def read(request: Json, kind: type[Any]) -> Any:
    """The request's JSON body. Raises RequestRefused (400) for what is none."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        raise RequestRefused(400, "BadRequest", "the body must be JSON, of type application/json")
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestRefused(
            400, "BadRequest", f"the body is not what it must be: {error}"
        ) from error


async def body_of(request: Json, most: int) -> bytes:
    """The request's body. Raises RequestRefused (413) beyond `most` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            why = f"the body has more than {most:,} bytes (serve --max-body)"
            raise RequestRefused(413, "TooLarge", why)
    return bytes(body)


def last_event_id(request: Json, otherwise: int) -> int:
    """The number of the last event that a client of server-sent events saw."""
    given = request.headers.get("last-event-id", "")
    return int(given) if given.isdecimal() and len(given) < 16 else otherwise

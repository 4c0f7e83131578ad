"""What routes and channels read of a request, and refuse where it is not what it must be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from litestar import Request

from turnlog.server.errors import RequestRefused

Json = Request[Any, Any, Any]

MAX_EVENT = 2**53
"""Above every number that an event can have, and still a number in JavaScript."""


async def read(request: Json, kind: type[Any]) -> Any:
    """The request's JSON body. Raises RequestRefused (400) for what is none."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        raise RequestRefused(400, "BadRequest", "the body must be JSON, of type application/json")
    with _refusing():
        return msgspec.json.decode((await request.body()).decode(), type=kind)


async def check_empty(request: Json) -> None:
    """Refuse a body that is not a JSON object where nothing is asked for."""
    if await request.body():
        await read(request, dict)


class JsonRequest(Request[Any, Any, Any]):
    """What a route with a typed body reads; a body that is none is refused as `read` does."""

    async def json(self) -> Any:
        with _refusing():
            return await super().json()


@contextmanager
def _refusing() -> Iterator[None]:
    """msgspec skips a field that it need not read, whatever its bytes: they are decoded first."""
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = f"the body is not what it must be: {error}"
        raise RequestRefused(400, "BadRequest", why) from error


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
    id = request.headers.get("last-event-id", "")
    return int(id) if id.isdecimal() and len(id) < 16 else otherwise

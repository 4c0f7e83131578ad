"""Reads requests for routes and channels, and refuses malformed ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from litestar import Request

from turnlog.server.errors import RequestRefused

Json = Request[Any, Any, Any]

MAX_EVENT = 2**53
"""Above every possible event number, and exact as a number in JavaScript."""


async def read(request: Json, kind: type[Any]) -> Any:
    """The request's JSON body. Raises RequestRefused (400) for anything else."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        raise RequestRefused(400, "BadRequest", "the body must be JSON, of type application/json")
    with _refusing():
        return msgspec.json.decode((await request.body()).decode(), type=kind)


async def check_empty(request: Json) -> None:
    """Refuses a body that is not a JSON object, on a route that needs none."""
    if await request.body():
        await read(request, dict)


class JsonRequest(Request[Any, Any, Any]):
    """A request with a typed body; a malformed body is refused as in `read`."""

    async def json(self) -> Any:
        """The body. Raises RequestRefused (400) if it is malformed."""
        with _refusing():
            return await super().json()


@contextmanager
def _refusing() -> Iterator[None]:
    """Decodes all bytes first: msgspec skips a field that it need not read, whatever its bytes."""
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        why = f"invalid body: {error}"
        raise RequestRefused(400, "BadRequest", why) from error


async def body_of(request: Json, most: int) -> bytes:
    """The request's body. Raises RequestRefused (413) beyond `most` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            why = f"the body is larger than {most:,} bytes (serve --max-body)"
            raise RequestRefused(413, "TooLarge", why)
    return bytes(body)


def last_event_id(request: Json, otherwise: int) -> int:
    """The number of the last event that a client of server-sent events saw."""
    id = request.headers.get("last-event-id", "")
    return int(id) if id.isdecimal() and len(id) < 16 else otherwise

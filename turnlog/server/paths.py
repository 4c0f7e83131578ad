"""A conversation's id in a path, which may contain slashes, is decoded exactly once.

A client may encode a slash, or write it literally where Rasa's own paths allow that
(`/conversations/a/b/tracker` is of `a/b`). Before routing, the id becomes one encoded segment; it
is decoded when the route is found.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any
from urllib.parse import quote, unquote

from turnlog.domain.streams import LONGEST
from turnlog.server.errors import RequestRefused

Asgi = Any

TRACKER_API = "/conversations/"
KEPT_BYTES = 900
"""For an id that is too long."""

RASA = "tracker/events|tracker|story|messages|execute|predict|trigger_intent"
_WITH_SLASHES = re.compile(rf"({TRACKER_API})(.+)(/(?:{RASA})/?)$")
_ONE_SEGMENT = re.compile(r"(/v1/conversations/|/sessions/)([^/]+)(/.*)$")


class ConversationPaths:
    """ASGI middleware before the routes: an id in the path becomes one encoded segment."""

    def __init__(self, inner: Asgi) -> None:
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": routed(_raw(scope))}
        await self._inner(scope, receive, send)


def _raw(scope: Any) -> str:
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw.decode("latin-1")


def routed(raw: str) -> str:
    """The path for routing: decoded, except for the id, whose slashes are encoded."""
    match = _WITH_SLASHES.match(raw) or _ONE_SEGMENT.match(raw)
    if match is None:
        return unquote(raw)
    before, id, after = match.groups()
    return before + id.replace("/", "%2F") + unquote(after)


def with_decoded_id(app: Asgi) -> Asgi:
    """Middleware of each route: the parameter `conversation` is the id itself."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        parameters = scope.get("path_params") or {}
        if "conversation" in parameters:
            id = _decoded(parameters["conversation"])
            if scope["path"].startswith(TRACKER_API):
                id = stored_id(id)
            scope["path_params"] = {**parameters, "conversation": id}
        await app(scope, receive, send)

    return call


def stored_id(id: str) -> str:
    """The id of Rasa's conversation in the log: one with too many bytes is cut, and ends in the
    SHA-256 of the whole id.
    """
    whole = id.encode()
    if len(whole) <= LONGEST:
        return id
    return f"{whole[:KEPT_BYTES].decode(errors='ignore')}…{sha256(whole).hexdigest()}"


def _decoded(segment: str) -> str:
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise RequestRefused(400, "BadRequest", f"conversation {segment!r}: {error}") from error

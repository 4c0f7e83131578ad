"""Turns away requests before any route sees them, with errors that their clients understand."""

from __future__ import annotations

import ipaddress
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from turnlog.server.errors import failure
from turnlog.server.settings import Settings

SPOKEN = (
    "this server speaks Socket.IO protocol 5 (Engine.IO 4):"
    " use socket.io-client 3 or 4, or python-socketio 5"
)
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

Asgi = Any


class RequestGuard:
    """ASGI middleware that refuses old Socket.IO clients, foreign origins and host names."""

    def __init__(self, inner: Asgi, settings: Settings) -> None:
        self._inner = inner
        self._settings = settings

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._inner(scope, receive, send)
        elif (why := self._refusal(scope)) is not None:
            await _refuse(scope, receive, send, why)
        elif (version := self._old_version(scope)) is not None:
            await _turn_away(scope, receive, send, version)
        else:
            await self._inner(scope, receive, send)

    def _refusal(self, scope: Any) -> str | None:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._settings.protected and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return f"host {host!r}: without a token this server answers on loopback only"
        origin = headers.get(b"origin")
        if origin is None or (scope.get("method") in SAFE_METHODS and not self._is_channel(scope)):
            return None
        named = origin.decode("latin-1")
        if urlsplit(named).netloc == host or {named, "*"} & set(self._settings.cors):
            return None
        return f"origin {named!r} is not allowed (--cors)"

    def _is_channel(self, scope: Any) -> bool:
        path: str = scope["path"]
        return f"{path}/".startswith(f"{self._settings.names.path.rstrip('/')}/")

    def _old_version(self, scope: Any) -> str | None:
        """The Engine.IO version of a client that does not speak ours."""
        if not self._is_channel(scope):
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        version = query.get("EIO", ["none"])[0]
        return None if "sid" in query or version == "4" else version


def is_loopback(host: str) -> bool:
    """Whether a host name or address is the machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _refuse(scope: Any, receive: Any, send: Any, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "not allowed"})
        return
    body = json.dumps(failure(403, "Forbidden", why)).encode()
    await _respond(send, 403, b"application/json", body)


async def _turn_away(scope: Any, receive: Any, send: Any, version: str) -> None:
    """Refuses an old client in its own protocol, so that its `error` event has the message."""
    error = "44" + json.dumps(f"{SPOKEN}; this client asked for Engine.IO {version}")
    packets = ['0{"sid":"none","upgrades":[],"pingInterval":25000,"pingTimeout":60000}', error, "1"]
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        for packet in packets[:2]:
            await send({"type": "websocket.send", "text": packet})
        await send({"type": "websocket.close", "code": 1002, "reason": "Socket.IO protocol 5 only"})
        return
    body = "".join(f"{len(packet)}:{packet}" for packet in packets).encode()
    await _respond(send, 200, b"text/plain; charset=UTF-8", body, scope)


async def _respond(send: Any, status: int, media: bytes, body: bytes, scope: Any = None) -> None:
    headers = [(b"content-type", media), (b"content-length", str(len(body)).encode())]
    if scope is not None and (origin := dict(scope["headers"]).get(b"origin")):
        headers += [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
        headers += [(b"access-control-allow-credentials", b"true")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

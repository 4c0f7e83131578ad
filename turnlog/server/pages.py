"""The pages and what they are made of, from the folder `static`; nothing is read from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
from litestar import Response, get

from turnlog.server.errors import Refused
from turnlog.server.shared import Server

FOLDER = Path(__file__).with_name("static")
CLIENT = "vendor/socket.io.js"

TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' http: https:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@cache
def files() -> dict[str, tuple[str, bytes]]:
    """Media type and content of every file, by its name below the folder."""
    return dict(_read())


def _read() -> Iterator[tuple[str, tuple[str, bytes]]]:
    for path in FOLDER.rglob("*"):
        if path.is_file() and path.suffix in TYPES:
            yield path.relative_to(FOLDER).as_posix(), (TYPES[path.suffix], path.read_bytes())


def page(name: str, status: int = 200) -> Response[bytes]:
    media_type, content = files()[name]
    return Response(content, status_code=status, media_type=media_type, headers=HEADERS)


@get("/", opt={"access": "open"}, include_in_schema=False)
async def chat() -> Response[bytes]:
    if CLIENT not in files():
        raise Refused(503, "NotBuilt", "the chat page is not built: run scripts/page")
    return page("chat.html")


@get("/static/{name:path}", opt={"access": "open"}, include_in_schema=False)
async def static(name: str) -> Response[bytes]:
    if name.lstrip("/") not in files():
        raise Refused(404, "NotFound", "there is no such file")
    return page(name.lstrip("/"))


@get("/chat/names.js", opt={"access": "open"}, include_in_schema=False)
async def names(server: Server) -> Response[bytes]:
    """How the Socket.IO channel names things, as a module of the page."""
    module = b"export const names = %s;\n" % msgspec.json.encode(server.settings.names)
    return Response(module, media_type=TYPES[".js"], headers=HEADERS)


handlers = (chat, static, names)

"""The chat page and what it is made of."""

from __future__ import annotations

import msgspec
from litestar import Response, get

from turnlog.server.errors import RequestRefused
from turnlog.server.files import HEADERS, TYPES, files, page
from turnlog.server.services import Services

CLIENT = "vendor/socket.io.js"


@get("/", opt={"access": "open"}, include_in_schema=False)
async def chat() -> Response[bytes]:
    if CLIENT not in files():
        raise RequestRefused(503, "NotBuilt", "the chat page is not built: run scripts/page")
    return page("chat.html")


@get("/static/{name:path}", opt={"access": "open"}, include_in_schema=False)
async def static(name: str) -> Response[bytes]:
    if name.lstrip("/") not in files():
        raise RequestRefused(404, "NotFound", "there is no such file")
    return page(name.lstrip("/"))


@get("/chat/names.js", opt={"access": "open"}, include_in_schema=False)
async def names(services: Services) -> Response[bytes]:
    """How the Socket.IO channel names things, as a module of the page."""
    module = b"export const names = %s;\n" % msgspec.json.encode(services.settings.names)
    return Response(module, media_type=TYPES[".js"], headers=HEADERS)


handlers = (chat, static, names)

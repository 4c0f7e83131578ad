"""The chat page, and the files of all pages."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from turnlog.server.errors import RequestRefused
from turnlog.server.files import files, page

Web = Request[Any, Any, Any]
AS_IT_IS = {"access": "open", "uncompressed": True}


@get("/", opt=AS_IT_IS, include_in_schema=False)
async def chat(request: Web) -> Response[bytes]:
    """The chat page."""
    return page(request, "chat.html")


@get("/static/{name:path}", opt=AS_IT_IS, include_in_schema=False)
async def static(request: Web, name: str) -> Response[bytes]:
    """A file of the pages."""
    if name.lstrip("/") not in files():
        raise RequestRefused(404, "NotFound", "file does not exist")
    return page(request, name.lstrip("/"))


handlers = (chat, static)

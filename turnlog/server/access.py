"""Records who reads over HTTP, before the answer is made, if the log keeps such records."""

from __future__ import annotations

from typing import Any

from litestar import Request

from turnlog.engine.access import access_request
from turnlog.engine.log import Turnlog
from turnlog.engine.request import Request as Recording
from turnlog.server.auth import Principal
from turnlog.server.services import Services

REASON = "turnlog-reason"
"""The header that gives the reason for reading."""

_READING = {"GET", "HEAD"}


async def record_access(request: Request[Any, Any, Any]) -> None:
    """Runs before a route that shows what was said. A conversation's own user needs no record."""
    principal: Principal | None = request.state.get("principal")
    if principal is None or not principal.everything or request.method not in _READING:
        return
    services: Services = request.app.state.services
    id = request.path_params.get("conversation") or request.query_params.get("conversation")
    way = f"{request.method} {request.scope['path_template']}"
    reason = request.headers.get(REASON)
    actor = principal.name or "unnamed"

    def made(log: Turnlog) -> Recording | None:
        if not services.watch.on:
            return None
        return access_request(log, way, [id] if id else [], actor=actor, reason=reason)

    if (recording := await services.log.read(made)) is not None:
        await services.log.submit(recording)

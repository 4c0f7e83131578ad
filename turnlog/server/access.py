"""Who reads over HTTP, where the log keeps that: recorded before the answer is made."""

from __future__ import annotations

from typing import Any

from litestar import Request

from turnlog.engine.access import access_request
from turnlog.server.auth import Principal
from turnlog.server.services import Services

REASON = "turnlog-reason"
"""The header that says why."""

_READING = {"GET", "HEAD"}


async def record_access(request: Request[Any, Any, Any]) -> None:
    """Before a route that shows what was said; somebody's own conversation needs no record."""
    principal: Principal | None = request.state.get("principal")
    if principal is None or not principal.everything or request.method not in _READING:
        return
    services: Services = request.app.state.services
    if not await services.log.read(lambda log: services.watch.on):
        return
    id = request.path_params.get("conversation") or request.query_params.get("conversation")
    way = f"{request.method} {request.scope['path_template']}"
    reason = request.headers.get(REASON)
    made = await services.log.read(
        lambda log: access_request(
            log, way, [id] if id else [], actor=principal.name or "unnamed", reason=reason
        )
    )
    await services.log.submit(made)

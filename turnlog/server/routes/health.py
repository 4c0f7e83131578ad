"""Whether the server lives, whether it can serve, and its figures."""

from __future__ import annotations

import asyncio

from litestar import Response, get
from litestar.datastructures import State
from litestar.response import Response as PlainResponse

from turnlog import AsyncTurnlog, __version__
from turnlog.server.services import Services

READY_SECONDS = 2.0


@get("/health", opt={"access": "open"})
async def health() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok", "version": __version__}


@get("/health/ready", opt={"access": "open"})
async def ready(log: AsyncTurnlog, services: Services) -> Response[dict[str, str]]:
    """The log can be read; 503 where it cannot. Redis away only slows messages down."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await log.read(lambda log: log.store.reader.last_position())
    except Exception as error:
        return Response({"status": "unavailable", "log": type(error).__name__}, status_code=503)
    redis = {} if services.signal is None else {"redis": _word(services.signal.is_there)}
    return Response({"status": "ok", **redis})


def _word(there: bool) -> str:
    return "ok" if there else "away; the log is looked at instead"


@get("/metrics", opt={"access": "open"}, media_type="text/plain")
async def metrics(state: State) -> PlainResponse[bytes]:
    """Figures for Prometheus."""
    return PlainResponse(state.services.metrics.text(), media_type="text/plain; version=0.0.4")


handlers = (health, ready, metrics)

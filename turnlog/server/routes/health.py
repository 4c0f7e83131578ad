"""Whether the server is alive, whether it can serve, and its figures."""

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
    """Succeeds while the process is alive."""
    return {"status": "ok", "version": __version__}


@get("/health/ready", opt={"access": "open"})
async def ready(log: AsyncTurnlog, services: Services) -> Response[dict[str, str]]:
    """Succeeds if the log can be read, else 503. Without Redis, messages are only slower."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await log.read(lambda log: log.store.reader.last_position())
    except Exception as error:
        return Response({"status": "unavailable", "log": type(error).__name__}, status_code=503)
    redis = {} if services.signal is None else {"redis": _word(services.signal.is_there)}
    return Response({"status": "ok", **redis})


def _word(there: bool) -> str:
    return "ok" if there else "unreachable; polling the log instead"


@get("/metrics", opt={"access": "open"}, media_type="text/plain")
async def metrics(state: State) -> PlainResponse[bytes]:
    """Figures for Prometheus."""
    return PlainResponse(state.services.metrics.text(), media_type="text/plain; version=0.0.4")


handlers = (health, ready, metrics)

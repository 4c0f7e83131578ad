"""A server process: checks its settings, serves until it is stopped, and prints its addresses."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
import sys
import time
from typing import Any
from urllib.parse import quote

import uvicorn

from turnlog import bots
from turnlog.bots import LoadedBot
from turnlog.domain.values import MAX_DEPTH
from turnlog.encoding.binary import MAX_EVENT_BYTES
from turnlog.errors import TurnlogError
from turnlog.server.app import serving
from turnlog.server.request_guard import is_loopback
from turnlog.server.services import Services
from turnlog.server.settings import RESERVED_EVENTS, ClientLimits, Settings

METHODS = ("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA")


def run(settings: Settings) -> None:
    """Serves until the process is asked to stop. Raises TurnlogError for invalid settings."""
    check(settings)
    configure_logging()
    asyncio.run(_serve(settings))


def check(settings: Settings) -> None:
    """Raises TurnlogError for settings that are wrong or unsafe."""
    if not settings.protected and not is_loopback(settings.host):
        raise TurnlogError(
            f"host {settings.host!r} is open to others: it needs --auth-token or --jwt-key,"
            " without one the server binds to loopback only"
        )
    if settings.jwt_method not in METHODS:
        raise TurnlogError(
            f"unknown jwt method {settings.jwt_method!r}; known: {', '.join(METHODS)}"
        )
    for event in (settings.names.user_message, settings.names.bot_message):
        if event in RESERVED_EVENTS:
            raise TurnlogError(f"event {event!r} is reserved by the protocol; choose another name")
    for value, name in ((settings.auth_token, "--auth-token"), (settings.jwt_key, "--jwt-key")):
        if value is not None and not value.strip():
            raise TurnlogError(f"{name} is empty")

    _check_limits(settings.limits)


def _check_limits(limits: ClientLimits) -> None:
    for value, most, name in (
        (limits.event, MAX_EVENT_BYTES, "--max-event"),
        (limits.depth, MAX_DEPTH, "--max-depth"),
        (limits.tracker_body, sys.maxsize, "--max-body"),
    ):
        if not 0 < value <= most:
            raise TurnlogError(f"{name} {value:,}: must be from 1 to {most:,}, the log's limit")


async def _serve(settings: Settings) -> None:
    listening = listening_on(settings.host, settings.port)
    port = listening.getsockname()[1]
    async with serving(settings, bot=_bot(settings)) as (application, services):
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=settings.limits.body,
            timeout_graceful_shutdown=5,
            lifespan="off",
        )
        _calm_collector()
        announce(settings, port)
        await _Process(config, services).serve([listening])


class _Process(uvicorn.Server):
    """Ends everything that would delay a stop."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._services.streams.end()
        await super().shutdown(sockets)


def _calm_collector() -> None:
    """Exempts what is loaded from garbage collection, so that no request waits for it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def listening_on(host: str, port: int) -> socket.socket:
    """Binds the address. Raises TurnlogError if that fails."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small packets immediately only if the protocol is named.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        why = (
            f"{host}:{port}: {error.strerror or error} (--host, --port; 0 is any port that is free)"
        )
        raise TurnlogError(why) from error
    return listening


def _bot(settings: Settings) -> LoadedBot | None:
    if settings.bot is None:
        return None
    return bots.named(settings.bot, timeout=settings.bot_timeout)


def announce(settings: Settings, port: int) -> None:
    """Prints the addresses of chat and inspector on stdout."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = f"http://{host}:{port}"
    token = f"?token={quote(settings.auth_token)}" if settings.auth_token else ""
    print(f"chat     {base}/\ninspect  {base}/inspect{token}", flush=True)
    if settings.bot is None:
        logging.getLogger(__name__).warning(
            "no bot: messages are recorded but not answered; name a bot with --bot"
        )
    if settings.client_ids:
        logging.getLogger(__name__).warning(
            "clients name their session ids: anyone who knows or guesses one can use the session"
        )


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, where, message and the traceback of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`; one line of JSON."""
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        elif exception := getattr(record, "exception", None):
            line["exception"] = exception
        return json.dumps(line)


def configure_logging() -> None:
    """Logs structured lines to stderr. Conversations appear by id, never with their text."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("engineio", "socketio", "httpx", "uvicorn"):  # they log addresses and tokens
        logging.getLogger(noisy).setLevel(logging.ERROR)

"""Assembles the server: one ASGI application of routes, Socket.IO and pages on one log.

A group of routes is a module with a sequence of Litestar handlers, named in ROUTES. A handler's
path parameter `conversation` names the conversation that the request needs rights for; they are
checked before the handler runs. `log`, an AsyncTurnlog, `principal` and the `services` are injected
as arguments of those names.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any

import socketio
from litestar import Litestar, Request, Router
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from turnlog import AsyncTurnlog, __version__, aopen
from turnlog.bots import BotConversation, LiveConversation, LoadedBot
from turnlog.dialogs.timers import RepeatingDialog, Timers
from turnlog.domain.conversation import Conversation
from turnlog.server import errors
from turnlog.server.access import record_access
from turnlog.server.auth import Principal, authorised
from turnlog.server.heads import publishing
from turnlog.server.paths import ConversationPaths, with_decoded_id
from turnlog.server.request_guard import RequestGuard
from turnlog.server.requests import JsonRequest
from turnlog.server.services import Services
from turnlog.server.settings import Settings
from turnlog.server.socket_channel import SocketChannel
from turnlog.server.tokens import stored_secret

ROUTES: tuple[str, ...] = (
    "turnlog.server.routes.chat:handlers",
    "turnlog.server.routes.conversations:handlers",
    "turnlog.server.routes.health:handlers",
    "turnlog.server.routes.inspector:handlers",
    "turnlog.server.routes.pages:handlers",
    "turnlog.server.routes.rasa:handlers",
    "turnlog.server.routes.rest:handlers",
    "turnlog.server.routes.runs:handlers",
    "turnlog.server.routes.sessions:handlers",
    "turnlog.server.routes.threads:handlers",
    "turnlog.server.routes.timeline:handlers",
    "turnlog.server.routes.tracker:handlers",
    "turnlog.server.routes.trying:handlers",
)
"""Module and attribute of every group of routes."""


@asynccontextmanager
async def serving(
    settings: Settings, *, bot: LoadedBot | None = None, clock: Callable[[], float] = time.time
) -> AsyncIterator[tuple[Any, Services]]:
    """The ASGI application on its open log, for the duration of the block."""
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(aopen(settings.db, clock=clock, keys=settings.keys))
        secret = await stored_secret(log)
        services = Services(settings, log, secret, bot=bot, clock=clock)
        if services.leases is not None:
            stack.push_async_callback(services.leases.close)
        stack.push_async_callback(services.runner.finish)
        await stack.enter_async_context(services.feed.running())
        if services.signal is not None:
            await stack.enter_async_context(services.signal.running())
        await stack.enter_async_context(timers(services, bot).running())
        await stack.enter_async_context(publishing(services))
        yield application(services), services


def timers(services: Services, bot: LoadedBot | None) -> Timers:
    """Deadlines of prompts. A bot made of units decides what follows."""
    dialog: Any = (
        bot.bot if bot is not None and hasattr(bot.bot, "timed_out") else RepeatingDialog()
    )

    def view(conversation: Conversation) -> BotConversation:
        loaded = bot or LoadedBot(dialog)
        return LiveConversation(services.log, conversation, loaded, conversation.state.event)

    return Timers(services.log, dialog, lock=services.locks.of, view=view)


def application(services: Services) -> Any:
    """Routes and Socket.IO. Mounting one in the other would break its transports."""
    chat = SocketChannel(services)
    path = services.settings.names.path
    routes = ConversationPaths(litestar(services))
    both = socketio.ASGIApp(chat.sio, other_asgi_app=routes, socketio_path=path)
    return RequestGuard(both, services.settings)


def litestar(services: Services) -> Litestar:
    """The routes as a Litestar application."""
    settings = services.settings
    return Litestar(
        route_handlers=[handler for group in ROUTES for handler in _loaded(group)],
        guards=[authorised],
        before_request=record_access,
        middleware=[with_decoded_id],
        dependencies={
            "log": Provide(lambda: services.log, sync_to_thread=False),
            "services": Provide(lambda: services, sync_to_thread=False),
            "principal": Provide(_principal, sync_to_thread=False),
        },
        state=State({"auth": services.auth, "services": services}),
        exception_handlers=errors.HANDLERS,
        request_class=JsonRequest,
        request_max_body_size=settings.limits.body,
        compression_config=CompressionConfig(
            "gzip", minimum_size=2_000, gzip_compress_level=5, exclude_opt_key="uncompressed"
        ),
        cors_config=CORSConfig(allow_origins=list(settings.cors)) if settings.cors else None,
        openapi_config=OpenAPIConfig(
            "turnlog",
            __version__,
            openapi_router=Router("/openapi", route_handlers=[], opt={"access": "open"}),
            render_plugins=[JsonRenderPlugin()],
            use_handler_docstrings=True,
        ),
        logging_config=None,
        signature_types=[AsyncTurnlog, Principal, Services],
    )


def _principal(request: Request[Any, Any, Any]) -> Principal:
    principal: Principal = request.state.principal
    return principal


def _loaded(group: str) -> Sequence[Any]:
    module, _, attribute = group.partition(":")
    handlers: Sequence[Any] = getattr(import_module(module), attribute)
    return handlers

"""Sessions over HTTP, for bots in any language: values, properties and globals.

Each request's changes are one commit. Values are JSON values; keys may contain slashes.
"""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, delete, get, patch, post, put

from turnlog.errors import UnknownConversation
from turnlog.serializers.shared import plain
from turnlog.server.auth import Principal
from turnlog.server.errors import RequestRefused
from turnlog.server.services import Services
from turnlog.sessions.aio import AsyncSessionManager

JSON = "application/json"
EVERYBODY = {"access": "handler"}
"""Routes for values that all sessions share; the rights for one session are not enough."""


class Changes(msgspec.Struct, forbid_unknown_fields=True):
    """The changes of one turn, in this order, all in one commit.

    retain: with `clear`, keys that stay.
    """

    clear: bool = False
    retain: list[str] = []
    evict: list[str] = []
    save: dict[str, Any] = {}
    props: dict[str, Any] = {}
    globals: dict[str, Any] = {}


def _json(value: Any) -> Response[bytes]:
    return Response(plain.dumps(value), media_type=JSON)


def _missing(what: str, conversation: str, key: str) -> RequestRefused:
    return RequestRefused(404, "NotFound", f"conversation {conversation!r}: no {what} {key!r}")


def _shared(services: Services, principal: Principal) -> AsyncSessionManager:
    """The manager, for a principal that may see what all sessions share."""
    principal.require(None, services.clock())
    return services.sessions


# --- values -------------------------------------------------------------------------------------


@get("/sessions/{conversation:str}/values")
async def values(conversation: str, services: Services) -> Response[bytes]:
    """Every value of a session; 404 for an unknown session."""
    stored = await services.sessions.fetch_all(conversation)
    if stored is None:
        raise UnknownConversation(conversation)
    return _json(stored)


@get("/sessions/{conversation:str}/values/{key:path}")
async def value(conversation: str, key: str, services: Services) -> Response[bytes]:
    """The value under a key; 404 if there is none."""
    return _found("value", conversation, key, await services.sessions.fetch_all(conversation))


@put("/sessions/{conversation:str}/values/{key:path}", status_code=204)
async def save(conversation: str, key: str, services: Services, data: Any) -> None:
    """Stores a value under a key."""
    await services.runner.keep(conversation, services.sessions.save, conversation, key[1:], data)


@patch("/sessions/{conversation:str}/values", status_code=204)
async def save_all(conversation: str, services: Services, data: dict[str, Any]) -> None:
    """Stores several values; others stay."""
    await services.runner.keep(conversation, services.sessions.save_all, conversation, data)


@delete("/sessions/{conversation:str}/values/{key:path}")
async def evict(conversation: str, key: str, services: Services) -> None:
    """Removes a value if it exists."""
    await services.runner.keep(conversation, services.sessions.evict, conversation, key[1:])


@delete("/sessions/{conversation:str}/values")
async def clear(conversation: str, services: Services, retain: list[str] | None = None) -> None:
    """Removes every value, except the keys in `?retain=KEY`, which can be repeated."""
    await services.runner.keep(conversation, services.sessions.clear, conversation, retain)


@post("/sessions/{conversation:str}/turn", status_code=200)
async def turn(
    conversation: str, services: Services, principal: Principal, data: Changes
) -> Response[bytes]:
    """Changes several things in one commit. Responds with every value after it."""
    manager = _shared(services, principal) if data.globals else services.sessions
    await services.runner.keep(conversation, _change, manager, conversation, data)
    return _json(await manager.fetch_all(conversation) or {})


async def _change(manager: AsyncSessionManager, conversation: str, data: Changes) -> None:
    async with manager.turn(conversation):
        if data.clear or data.retain:
            await manager.clear(conversation, data.retain)
        await manager.evict_all(conversation, data.evict)
        await manager.save_all(conversation, data.save)
        for key, item in data.props.items():
            await manager.save_prop(conversation, key, item)
        for key, item in data.globals.items():
            await manager.save_global(key, item)


# --- properties ---------------------------------------------------------------------------------


@get("/sessions/{conversation:str}/props")
async def props(conversation: str, services: Services) -> Response[bytes]:
    """The session's properties."""
    return _json(await services.sessions.get_user_props(conversation))


@get("/sessions/{conversation:str}/props/{key:path}")
async def prop(conversation: str, key: str, services: Services) -> Response[bytes]:
    """One property; 404 if there is none."""
    props = await services.sessions.get_user_props(conversation)
    return _found("property", conversation, key, props)


@put("/sessions/{conversation:str}/props/{key:path}", status_code=204)
async def save_prop(conversation: str, key: str, services: Services, data: Any) -> None:
    """Stores a property."""
    await services.runner.keep(
        conversation, services.sessions.save_prop, conversation, key[1:], data
    )


@delete("/sessions/{conversation:str}/props/{key:path}")
async def evict_prop(conversation: str, key: str, services: Services) -> None:
    """Removes a property; 404 if there is none."""
    evicted = await services.runner.keep(
        conversation, services.sessions.evict_prop, conversation, key[1:]
    )
    if not evicted:
        raise _missing("property", conversation, key[1:])


# --- globals ------------------------------------------------------------------------------------


@get("/sessions/{conversation:str}/globals", opt=EVERYBODY)
async def all_globals(
    conversation: str, services: Services, principal: Principal
) -> Response[bytes]:
    """The values that all sessions share."""
    return _json(await _shared(services, principal).fetch_all(conversation, True))


@get("/sessions/{conversation:str}/globals/{key:path}", opt=EVERYBODY)
async def a_global(
    conversation: str, key: str, services: Services, principal: Principal
) -> Response[bytes]:
    """A value that all sessions share; 404 if there is none."""
    shared_values = await _shared(services, principal).fetch_all(conversation, True)
    return _found("global", conversation, key, shared_values)


@put("/sessions/{conversation:str}/globals/{key:path}", opt=EVERYBODY, status_code=204)
async def save_global(
    conversation: str, key: str, services: Services, principal: Principal, data: Any
) -> None:
    """Stores a value for all sessions."""
    manager = _shared(services, principal)
    await services.runner.keep(conversation, manager.save_global, key[1:], data)


@delete("/sessions/{conversation:str}/globals/{key:path}", opt=EVERYBODY)
async def evict_global(
    conversation: str, key: str, services: Services, principal: Principal
) -> None:
    """Removes a value that all sessions share, if it exists."""
    manager = _shared(services, principal)
    await services.runner.keep(conversation, manager.evict_global, key[1:])


def _found(what: str, conversation: str, key: str, held: dict[str, Any] | None) -> Response[bytes]:
    if held is None or key[1:] not in held:
        raise _missing(what, conversation, key[1:])
    return _json(held[key[1:]])


handlers = (
    values, value, save, save_all, evict, clear, turn,
    props, prop, save_prop, evict_prop,
    all_globals, a_global, save_global, evict_global,
)  # fmt: skip

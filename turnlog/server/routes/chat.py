"""The channel of our own chat page: plain HTTP and server-sent events, served by any server.

A page begins with a session, shows the last messages, follows the stream from there and returns
with the number of the last event it saw. Each request carries the session's token.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import Parameter
from litestar.response import Stream

from turnlog.domain.events import UserUttered
from turnlog.domain.recorded import RecordedEvent
from turnlog.domain.streams import check_id
from turnlog.serializers.shared import plain
from turnlog.server import event_stream
from turnlog.server.auth import Principal, credential
from turnlog.server.errors import RequestRefused
from turnlog.server.page_messages import page_messages
from turnlog.server.past_messages import last_event, past_messages
from turnlog.server.requests import MAX_EVENT, Json, check_empty, last_event_id, read
from turnlog.server.services import Services

TURNS_SHOWN = 100
"""Turns that a page shows first."""

OPEN = {"access": "open"}
"""The handlers check the session's token."""


class SessionRequest(msgspec.Struct):
    """token: of the session to return to. conversation: the wanted id, if clients choose."""

    token: str | None = None
    conversation: str | None = None


class ChatMessage(msgspec.Struct):
    """A user's message. With message_id, it can be sent again without being recorded twice."""

    message: str
    message_id: str | None = None
    metadata: dict[str, Any] | None = None


@post("/chat/session", opt=OPEN, status_code=200)
async def session(request: Json, services: Services) -> dict[str, Any]:
    """Begins a session or returns to one: `{"session_id", "token", "expires_in", "bot"}`.

    bot: whether a bot answers. A server with a JWT key requires a JSON web token.
    """
    body = await read(request, SessionRequest)
    principal = services.auth.visitor(credential(request))
    principal.in_time(services.clock())
    conversation = _session(services, principal, body)
    await services.log.read(lambda log: last_event(log, conversation))
    token = services.tokens.token(conversation, until=principal.expires)
    life = services.settings.token_life
    if principal.expires is not None:
        life = min(life, principal.expires - services.clock())
    return {
        "session_id": conversation,
        "token": token,
        "expires_in": life,
        "bot": services.has_bot,
    }


def _session(services: Services, principal: Principal, body: SessionRequest) -> str:
    """The conversation of a session. Raises RequestRefused if the user may not have it."""
    wanted = body.conversation
    if principal.conversation is not None:
        principal.require(wanted or principal.conversation, services.clock())
        return principal.conversation
    if body.token is not None:
        return services.tokens.conversation(body.token)
    if wanted is None:
        return services.tokens.new_id()
    if not (principal.everything or services.settings.client_ids):
        raise RequestRefused(403, "Forbidden", "this server makes session ids itself")
    check_id(wanted)
    return wanted


def _conversation(request: Json, services: Services) -> str:
    """The conversation that the session's token opens."""
    token = credential(request)
    if token is None:
        raise RequestRefused(401, "NotAuthenticated", "this request requires the session's token")
    return services.tokens.conversation(token)


@get("/chat/messages", opt=OPEN)
async def messages(
    request: Json,
    services: Services,
    before: int | None = Parameter(default=None, ge=1, le=MAX_EVENT),
    turns: int = Parameter(default=TURNS_SHOWN, ge=1, le=1_000),
) -> Response[bytes]:
    """The messages of the last turns before an event, oldest first: `{"messages", "before",
    "last"}`.

    before: in the answer, where the next older messages are requested, null if there are none;
    last: the number of the last event, from which the stream continues.
    """
    conversation = _conversation(request, services)
    work = services.settings.show_work

    def shown(log: Any) -> bytes:
        past = past_messages(log, conversation, before or MAX_EVENT, turns, work=work)
        page = list(page_messages(past.messages, work=work))
        return plain.dumps({"messages": page, "before": past.before, "last": past.last})

    content = await services.log.read(shown)
    return Response(content, media_type="application/json", headers={"Cache-Control": "no-store"})


@post("/chat/messages", opt=OPEN, status_code=200)
async def say(request: Json, services: Services) -> dict[str, Any]:
    """Records a user's message before it responds: `{"session_id", "event"}`."""
    conversation = _conversation(request, services)
    body = await read(request, ChatMessage)
    if not body.message:
        raise RequestRefused(400, "BadRequest", "message: not a text")
    extra = {"metadata": body.metadata} if body.metadata else None
    message = UserUttered(body.message, message_id=body.message_id, channel="chat", extra=extra)
    receipt = await services.runner.receive(conversation, message)
    return {"session_id": conversation, "event": receipt.event}


@post("/chat/stop", opt=OPEN, status_code=200)
async def stop(request: Json, services: Services) -> dict[str, Any]:
    """Stops the answer in progress: `{"stopped"}`, false if this server works on none.

    The text so far is recorded by then.
    """
    conversation = _conversation(request, services)
    await check_empty(request)
    return {"stopped": await services.runner.stop(conversation)}


@get("/chat/stream", opt={**OPEN, "uncompressed": True})
async def stream(
    request: Json,
    services: Services,
    after: int = Parameter(default=0, ge=0, le=MAX_EVENT),
    wait: bool = True,
) -> Stream:
    """Every message after the header `Last-Event-ID`, or `after`, as it comes: lists of them.

    wait: false sends only what exists, for a page that cannot keep a connection.
    """
    conversation = _conversation(request, services)
    seen = last_event_id(request, after)
    await services.log.read(lambda log: last_event(log, conversation, seen))
    await services.runner.resume(conversation)
    rendered = partial(_rendered, services.settings.show_work)
    if wait:
        content = services.streams.follow(conversation, seen, rendered, notes=True)
    else:
        content = services.streams.past(conversation, seen, rendered)
    return event_stream.response(content)


async def _rendered(work: bool, events: Sequence[RecordedEvent]) -> bytes:
    messages = list(page_messages(events, work=work))
    return event_stream.message(plain.dumps(messages), id=events[-1].number) if events else b""


handlers = (session, messages, say, stop, stream)

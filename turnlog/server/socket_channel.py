"""The Socket.IO channel: Rasa's events, with event numbers for clients that must lose nothing.

A client that puts `after` (the last event it saw, 0 for none) into its `session_request` receives
the messages after it, its own and other tabs' included, each with its number. Others receive what
Rasa sends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import socketio
from socketio.exceptions import ConnectionRefusedError

from turnlog.domain.events import UserUttered
from turnlog.domain.recorded import RecordedEvent
from turnlog.errors import TurnlogError
from turnlog.server import wire
from turnlog.server.errors import RequestRefused, status_of
from turnlog.server.notes import Note, Typing
from turnlog.server.past_messages import last_event
from turnlog.server.services import Services
from turnlog.server.socket_backlog import SocketServer
from turnlog.server.tokens import named
from turnlog.server.visitors import Payload, Visitor, VisitorSessions

CONNECTED = "turnlog.visitor"
"""The key of the visitor in a connection's environment."""


class SocketChannel(socketio.AsyncNamespace):  # type: ignore[misc]  # socketio has no types
    """The channel of one server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._names = services.settings.names
        super().__init__(self._names.namespace)
        self._sessions = VisitorSessions(services)
        self._visitors: dict[str, Visitor] = {}
        self._handlers = {
            "session_request": self._session_request,
            self._names.user_message: self._user_message,
            "stop_request": self._stop_request,
        }
        self.sio = SocketServer(
            async_mode="asgi",
            cors_allowed_origins="*",  # the request guard has checked the origin
            max_http_buffer_size=services.settings.limits.body,
        )
        self.sio.register_namespace(self)

    async def _emit(self, sid: str, name: str, data: Any) -> None:
        await self.sio.emit(name, data, to=sid, namespace=self.namespace)

    async def trigger_event(self, event: Any, *arguments: Any) -> Any:
        """Registers what a client may send, and the protocol's own `connect` and `disconnect`.

        A client that sends an event of these names is refused as for any unknown name, and stays
        connected.
        """
        sid: str = arguments[0]
        visitor = self._visitors.get(sid)
        if visitor is None:
            return await self._connect(*arguments) if event == "connect" else None
        if event == "disconnect" and not self.sio.manager.is_connected(sid, self.namespace):
            return await self._disconnect(visitor)
        if self._is_behind(visitor):
            return await self.sio.let_go(sid, self.namespace)
        return await self._answer(visitor, event, arguments[1] if arguments[1:] else None)

    # --- connecting -----------------------------------------------------------------------------

    async def _connect(self, sid: str, environ: Payload, auth: Any = None) -> None:
        if CONNECTED in environ:
            raise ConnectionRefusedError("the socket is already connected")
        try:
            principal = self._services.auth.visitor(_bearer(auth))
        except RequestRefused as refused:
            self._services.metrics.refused.labels(refused.reason).inc()
            raise ConnectionRefusedError(str(refused)) from refused
        environ[CONNECTED] = sid
        self._visitors[sid] = Visitor(sid, principal, environ)
        self._services.metrics.sockets.inc()

    async def _disconnect(self, visitor: Visitor) -> None:
        del self._visitors[visitor.sid]
        visitor.environ.pop(CONNECTED, None)
        self._services.metrics.sockets.dec()
        self._leave(visitor)

    async def _answer(self, visitor: Visitor, event: Any, data: Any) -> Any:
        """The handler's answer. An error goes to the client as `chat_error` and as the answer."""
        payload = data if isinstance(data, dict) else {}
        try:
            return await self._handler(event)(visitor, payload)
        except TurnlogError as error:
            status, reason = status_of(error)
            self._services.metrics.refused.labels(reason).inc()
            failure = {"code": status, "reason": reason, "message": str(error)}
            if isinstance(payload.get("message_id"), str):
                failure["message_id"] = payload["message_id"]
            await self._emit(visitor.sid, "chat_error", failure)
            return {"error": failure}

    def _handler(self, event: Any) -> Callable[[Visitor, Payload], Awaitable[Any]]:
        handler = self._handlers.get(event) if isinstance(event, str) else None
        if handler is None:
            known = ", ".join(self._handlers)
            why = f"unknown event {event!r:.60}; known: {known}"
            raise RequestRefused(400, "BadRequest", why)
        return handler

    # --- sessions -------------------------------------------------------------------------------

    async def _session_request(self, visitor: Visitor, data: Payload) -> None:
        if not self._names.persistence:
            confirmed = named(data.get("session_id")) or self._services.tokens.new_id()
            await self._emit(visitor.sid, "session_confirm", confirmed)
            return
        self._services.rate.take(f"socket {visitor.sid}")
        async with visitor.entering:
            was_numbered, visitor.numbered = visitor.numbered, "after" in data
            conversation = self._sessions.of(visitor, data)
            last = await self._services.log.read(lambda log: last_event(log, conversation))
            after = _after(data)
            await self._confirm(visitor, conversation, last)
            # to join again from now on would miss what an earlier message was just answered
            if visitor.numbered or was_numbered or not visitor.follows(conversation):
                await self._enter(visitor, conversation, after and min(after, last))
        await self._services.runner.resume(conversation)

    async def _confirm(self, visitor: Visitor, conversation: str, last: int = 0) -> None:
        if not visitor.numbered:
            await self._emit(visitor.sid, "session_confirm", conversation)
            return
        life = self._services.settings.token_life
        visitor.expires = self._services.clock() + life
        token = self._services.tokens.token(conversation)
        confirmed = {
            "session_id": conversation,
            "token": token,
            "expires_in": life,
            "event": last,
        }
        await self._emit(visitor.sid, "session_confirm", confirmed)

    async def _enter(self, visitor: Visitor, conversation: str, after: int | None) -> None:
        """Follows a conversation, from now on or after an event."""
        self._leave(visitor)
        visitor.conversation = conversation

        async def send(events: Sequence[RecordedEvent]) -> None:
            await self._send(visitor, events)

        async def tell(note: Note) -> None:
            await self._tell(visitor, note)

        tells = tell if visitor.numbered else None
        visitor.follower = await self._services.feed.join(conversation, after, send, tells)
        if visitor.sid not in self._visitors:
            self._leave(visitor)

    def _leave(self, visitor: Visitor) -> None:
        if visitor.follower is not None:
            self._services.feed.leave(visitor.follower)
            visitor.follower = None

    # --- messages in ----------------------------------------------------------------------------

    async def _user_message(self, visitor: Visitor, data: Payload) -> Payload:
        message = self._message(data)
        conversation = await self._speaker(visitor, data)
        receipt = await self._services.runner.receive(conversation, message)
        return {"session_id": conversation, "event": receipt.event}

    async def _speaker(self, visitor: Visitor, data: Payload) -> str:
        """The conversation of a message; the socket has joined its room by then."""
        now = self._services.clock()
        if not self._names.persistence:
            visitor.principal.in_time(now)
            conversation = visitor.principal.conversation or visitor.sid
        else:
            if visitor.expires is not None and now >= visitor.expires:
                raise RequestRefused(401, "Expired", "the session's token has expired")
            conversation = self._sessions.of(visitor, {"session_id": data.get("session_id")})
        async with visitor.entering:
            if not visitor.follows(conversation):
                if self._names.persistence and named(data.get("session_id")) != conversation:
                    await self._confirm(visitor, conversation)
                await self._enter(visitor, conversation, None)
        return conversation

    async def _stop_request(self, visitor: Visitor, data: Payload) -> Payload:
        """Stops the answer in progress in the visitor's session."""
        visitor.principal.in_time(self._services.clock())
        conversation = visitor.conversation
        there = conversation is not None and await self._services.runner.stop(conversation)
        return {"stopped": there}

    def _message(self, data: Payload) -> UserUttered:
        text = data.get("message")
        if not isinstance(text, str) or not text:
            raise RequestRefused(400, "BadRequest", "message: not a text")
        extra = {"metadata": _object(data.get(self._names.metadata))}
        extra["customData"] = _object(data.get("customData"))
        return UserUttered(
            text,
            message_id=data.get("message_id"),
            channel="socketio",
            extra={key: value for key, value in extra.items() if value} or None,
        )

    # --- messages out ---------------------------------------------------------------------------

    async def _send(self, visitor: Visitor, events: Sequence[RecordedEvent]) -> None:
        if self._is_behind(visitor):
            await self.sio.let_go(visitor.sid, self.namespace)
            return
        if visitor.numbered:
            hidden = wire.redacted(events)
            for name, data in wire.numbered_messages(events, self._names, hidden):
                await self._emit(visitor.sid, name, data)
            return
        for recorded in events:
            if (spoken := wire.spoken(recorded.event)) is not None:
                for data in wire.socket_messages(spoken):
                    await self._emit(visitor.sid, self._names.bot_message, data)

    def _is_behind(self, visitor: Visitor) -> bool:
        """Whether so much is unread that the socket should reconnect later."""
        limits, backlog = (
            self._services.settings.limits,
            self.sio.backlog(visitor.sid, self.namespace),
        )
        if backlog is None:
            return False
        return backlog.qsize() > limits.behind or backlog.bytes > limits.behind_bytes

    async def _tell(self, visitor: Visitor, note: Note) -> None:
        if isinstance(note, Typing):
            await self._emit(visitor.sid, "bot_typing", {"typing": note.at_work})
            return
        visitor.previewing = (note.first or visitor.previewing) and not self._is_behind(visitor)
        if visitor.previewing:  # chunks are dropped only at the beginning of a message
            await self._emit(visitor.sid, "bot_chunk", {"text": note.text, "first": note.first})


def _bearer(auth: Any) -> str | None:
    token = auth.get("token") if isinstance(auth, dict) else None
    return token.removeprefix("Bearer ").strip() if isinstance(token, str) and token else None


def _after(data: Payload) -> int | None:
    if "after" not in data:
        return None
    after = data["after"]
    return after if isinstance(after, int) and 0 <= after < 2**53 else 0


def _object(value: Any) -> dict[str, Any] | None:
    """A JSON object, or its text."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            return None
    return value if isinstance(value, dict) else None

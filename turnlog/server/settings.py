"""The settings of a server."""

from __future__ import annotations

import msgspec

from turnlog.domain.values import MAX_DEPTH
from turnlog.encoding.binary import MAX_EVENT_BYTES

DAY = 86_400.0

RESERVED_EVENTS = {
    "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
    "session_request", "session_confirm", "chat_error", "message_changed", "bot_typing",
    "bot_chunk", "stop_request",
}  # fmt: skip
"""Events of Socket.IO and of this channel; no option can give another event such a name."""


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names that the Socket.IO channel uses; the defaults are Rasa's.

    persistence: whether a session outlives its connection. Without it the socket's id is the
    conversation's id.
    """

    path: str = "/socket.io"
    namespace: str = "/"
    user_message: str = "user_uttered"
    bot_message: str = "bot_uttered"
    metadata: str = "metadata"
    persistence: bool = True


class ClientLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits on what a client may ask of the server.

    message and body in bytes. rate: messages a second in one conversation, after an immediate
    burst. waiting: messages of a conversation that wait for the bot. behind, behind_bytes: packets
    and bytes that a socket or stream may leave unread before it is disconnected, to return and
    catch up from the log. patience: seconds to wait for the log. tracker_body: bytes of a request
    with Rasa's events. event and depth: bytes and levels of nesting up to which such an event is
    stored whole.
    """

    message: int = 16_384
    body: int = 262_144
    rate: float = 10.0
    burst: int = 30
    waiting: int = 32
    behind: int = 1_000
    behind_bytes: int = 4_000_000
    patience: float = 8.0
    tracker_body: int = 64_000_000
    event: int = MAX_EVENT_BYTES
    depth: int = MAX_DEPTH


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """keys: URL of the key store of a sealed log.

    token_life: seconds for which the chat page's token opens its session.

    bot: `module:attribute` or the URL of a webhook; None records without answering. bot_timeout:
    seconds for an answer; bot_idle_timeout: between two pieces of a streamed answer, None for the
    same as the whole.

    heads: where heads of the log are published: folders, and URLs of witnesses; every: seconds
    between two; head_keys: files of the keys that sign them.

    show_work: whether the chat page shows the work behind an answer: reasoning, tool names, usage.
    banner: HTML of a line above the inspector. run: file of a kept replay run, whose groups the
    inspector shows. cors: other origins whose pages may use the server; `*` for all.
    """

    db: str = "sqlite:///turnlog.db"
    keys: str | None = None
    host: str = "127.0.0.1"
    port: int = 5005
    bot: str | None = None
    bot_timeout: float = 30.0
    bot_idle_timeout: float | None = None
    cors: tuple[str, ...] = ()
    auth_token: str | None = None
    jwt_key: str | None = None
    jwt_method: str = "HS256"
    client_ids: bool = False
    redis: str | None = None
    token_life: float = 7 * DAY
    names: Names = Names()
    limits: ClientLimits = ClientLimits()
    heads: tuple[str, ...] = ()
    every: float = 60.0
    head_keys: tuple[str, ...] = ()
    show_work: bool = True
    banner: str = ""
    run: str | None = None

    @property
    def protected(self) -> bool:
        """Whether a token or a key is required."""
        return self.auth_token is not None or self.jwt_key is not None

    @property
    def shared(self) -> bool:
        """Whether other servers may use the same log."""
        return not self.db.startswith(("sqlite:", "memory:"))

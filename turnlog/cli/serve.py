"""`turnlog serve`: the live server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from turnlog.cli.settings import settings as common
from turnlog.extras import needed

if TYPE_CHECKING:
    from turnlog.server.settings import ClientLimits, Names

Option = typer.Option

Host = Annotated[
    str | None, Option(metavar="ADDRESS", help="Address to bind to [default: 127.0.0.1].")
]
Port = Annotated[int, Option(metavar="N", min=0, max=65535, help="Port; 0 for any that is free.")]
BotName = Annotated[
    str | None, Option(metavar="MODULE:ATTR|URL", help="The bot; without it, none answers.")
]
BotTimeout = Annotated[float, Option(metavar="S", help="Seconds a bot may take for an answer.")]
BotIdleTimeout = Annotated[
    float | None,
    Option(metavar="S", help="Seconds between two pieces of an answer that streams."),
]
Cors = Annotated[
    list[str] | None, Option(metavar="ORIGIN", help="Another origin whose pages may connect.")
]
AuthToken = Annotated[
    str | None,
    Option(envvar="TURNLOG_AUTH_TOKEN", metavar="T", help="Token that REST and /inspect require."),
]
JwtKey = Annotated[
    str | None,
    Option(envvar="TURNLOG_JWT_KEY", metavar="K", help="Key that checks JSON web tokens."),
]
JwtMethod = Annotated[str, Option(metavar="M", help="Their algorithm; no other is accepted.")]
ClientIds = Annotated[
    bool,
    Option(
        "--client-ids",
        help="Let clients name their session ids; anyone who guesses one can use it.",
    ),
]
RedisUrl = Annotated[
    str | None,
    Option(
        metavar="URL",
        help="Redis through which servers on one PostgreSQL signal new events.",
    ),
]
SocketioPath = Annotated[str, Option(metavar="PATH", help="Path of the Socket.IO channel.")]
Namespace = Annotated[str, Option(metavar="NAME", help="Its namespace.")]
UserMessageEvent = Annotated[str, Option(metavar="EVENT", help="Its event for a user's message.")]
BotMessageEvent = Annotated[str, Option(metavar="EVENT", help="Its event for a bot's message.")]
MetadataKey = Annotated[str, Option(metavar="KEY", help="The key of a message's metadata.")]
MaxBody = Annotated[int, Option(metavar="BYTES", help="Largest request with Rasa's events.")]
MaxEvent = Annotated[
    int, Option(metavar="BYTES", help="Rasa's events up to this size are kept whole.")
]
MaxDepth = Annotated[
    int, Option(metavar="N", help="Events nested up to this depth are kept whole.")
]
SessionPersistence = Annotated[bool, Option(help="Whether sessions outlive their connections.")]
Heads = Annotated[
    list[str] | None,
    Option(metavar="PATH|URL", help="Folder for signed heads of the log, or a witness's URL."),
]
Every = Annotated[float, Option(metavar="S", min=0.1, help="Seconds between two heads.")]
HeadKeys = Annotated[
    list[str] | None, Option("--key", metavar="F", help="Private key that signs heads.")
]
ShowWork = Annotated[
    bool,
    Option(help="Whether the chat page shows reasoning, tool names and usage."),
]

Run = Annotated[
    str | None,
    Option("--run", metavar="FILE", help="A kept run, whose groups /inspect shows."),
]


class SocketOptions(NamedTuple):
    """The options that name parts of the Socket.IO channel."""

    socketio_path: SocketioPath = "/socket.io"
    namespace: Namespace = "/"
    user_message_evt: UserMessageEvent = "user_uttered"
    bot_message_evt: BotMessageEvent = "bot_uttered"
    metadata_key: MetadataKey = "metadata"
    session_persistence: SessionPersistence = True

    def names(self) -> Names:
        """The names as the server's settings."""
        from turnlog.server.settings import Names

        return Names(
            path=self.socketio_path, namespace=self.namespace, user_message=self.user_message_evt,
            bot_message=self.bot_message_evt, metadata=self.metadata_key,
            persistence=self.session_persistence,
        )  # fmt: skip


class LimitOptions(NamedTuple):
    """The options that limit requests with Rasa's events."""

    max_body: MaxBody = 64_000_000
    max_event: MaxEvent = 1_000_000
    max_depth: MaxDepth = 100

    def limits(self) -> ClientLimits:
        """The limits as the server's settings."""
        from turnlog.server.settings import ClientLimits

        return ClientLimits(tracker_body=self.max_body, event=self.max_event, depth=self.max_depth)


def serve(
    *,
    host: Host = None,
    port: Port = 5005,
    bot: BotName = None,
    bot_timeout: BotTimeout = 30.0,
    bot_idle_timeout: BotIdleTimeout = None,
    cors: Cors = None,
    auth_token: AuthToken = None,
    jwt_key: JwtKey = None,
    jwt_method: JwtMethod = "HS256",
    client_ids: ClientIds = False,
    redis: RedisUrl = None,
    socket: SocketOptions,
    limits: LimitOptions,
    heads: Heads = None,
    every: Every = 60.0,
    key: HeadKeys = None,
    show_work: ShowWork = True,
    run: Run = None,
) -> None:
    """Serve the chat, the REST channel and the inspector."""
    with needed("server", "the server"):
        from turnlog.server.main import run as serving
        from turnlog.server.settings import Settings
    serving(Settings(
        db=common().db, keys=common().keys,
        host=host or "127.0.0.1", port=port, bot=bot, bot_timeout=bot_timeout,
        bot_idle_timeout=bot_idle_timeout, cors=tuple(cors or ()), auth_token=auth_token,
        jwt_key=jwt_key, jwt_method=jwt_method, client_ids=client_ids, redis=redis,
        names=socket.names(), limits=limits.limits(), heads=tuple(heads or ()), every=every,
        head_keys=tuple(key or ()), show_work=show_work, run=run,
    ))  # fmt: skip

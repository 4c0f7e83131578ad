"""`turnlog serve`: the live server."""

from __future__ import annotations

from typing import Annotated

import typer

from turnlog.cli.settings import settings as common
from turnlog.errors import TurnlogError

Option = typer.Option


def serve(
    host: Annotated[str | None, Option(help="Address to bind to [default: 127.0.0.1].")] = None,
    port: Annotated[int, Option(help="Port; 0 for any that is free.")] = 5005,
    bot: Annotated[
        str | None, Option(metavar="MODULE:ATTR|URL", help="Who answers; nobody if not given.")
    ] = None,
    bot_timeout: Annotated[float, Option(help="Seconds a bot may take.")] = 30.0,
    cors: Annotated[
        list[str] | None, Option(metavar="ORIGIN", help="Another origin whose pages may use it.")
    ] = None,
    auth_token: Annotated[
        str | None,
        Option(envvar="TURNLOG_AUTH_TOKEN", help="Token that REST and /inspect ask for."),
    ] = None,
    jwt_key: Annotated[
        str | None,
        Option(envvar="TURNLOG_JWT_KEY", help="Key that JSON web tokens are checked with."),
    ] = None,
    jwt_method: Annotated[str, Option(help="Their algorithm; no other is accepted.")] = "HS256",
    client_ids: Annotated[
        bool,
        Option(
            "--client-ids",
            help="Let clients name their session id: who guesses an id reads that session.",
        ),
    ] = False,
    redis: Annotated[
        str | None,
        Option(
            metavar="URL",
            help="Redis by which servers on one PostgreSQL tell each other that the log has grown.",
        ),
    ] = None,
    socketio_path: Annotated[str, Option(help="Path of the Socket.IO channel.")] = "/socket.io",
    namespace: Annotated[str, Option(help="Its namespace.")] = "/",
    user_message_evt: Annotated[
        str, Option(help="Its event of a user's message.")
    ] = "user_uttered",
    bot_message_evt: Annotated[str, Option(help="Its event of a bot's message.")] = "bot_uttered",
    metadata_key: Annotated[str, Option(help="Where a message carries metadata.")] = "metadata",
    session_persistence: Annotated[
        bool, Option(help="Whether a session outlives its connection.")
    ] = True,
) -> None:
    """Serve live conversations: chat page, inspector, Socket.IO, REST."""
    try:
        from turnlog.server.main import run
        from turnlog.server.settings import Names, Settings
    except ImportError as error:
        raise TurnlogError(
            f"the server needs more packages ({error.name}): pip install 'turnlog[server]'"
        ) from error
    names = Names(
        path=socketio_path,
        namespace=namespace,
        user_message=user_message_evt,
        bot_message=bot_message_evt,
        metadata=metadata_key,
        persistence=session_persistence,
    )
    run(
        Settings(
            db=common().db,
            host=host or "127.0.0.1",
            port=port,
            bot=bot,
            bot_timeout=bot_timeout,
            cors=tuple(cors or ()),
            auth_token=auth_token,
            jwt_key=jwt_key,
            jwt_method=jwt_method,
            client_ids=client_ids,
            redis=redis,
            names=names,
        )
    )

"""The inspector's buttons: fork a conversation, or try another message from a moment."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get, post

from turnlog import AsyncTurnlog
from turnlog.serializers.shared import plain
from turnlog.server.auth import ADMINISTER, Principal
from turnlog.server.errors import RequestRefused
from turnlog.server.replies import json
from turnlog.server.requests import Json, read
from turnlog.server.services import Services


class Abilities(msgspec.Struct):
    """write: whether the principal may record. bot: the name of the served one."""

    write: bool
    bot: str | None


@get("/inspect/api/abilities", opt={"access": "handler"})
async def abilities(services: Services, principal: Principal) -> Abilities:
    """What the page may do for this principal."""
    principal.require(None, services.clock())
    return Abilities(principal.plays(ADMINISTER), services.settings.bot)


class PageForkAsked(msgspec.Struct, rename={"as_": "as"}):
    """A fork: its origin, the event it begins after, and its id."""

    conversation: str
    event: int
    as_: str


@post("/inspect/api/fork", opt={"access": "handler"})
async def fork(
    request: Json, log: AsyncTurnlog, services: Services, principal: Principal
) -> dict[str, Any]:
    """Begins a conversation that shares the past of another up to an event."""
    principal.require(None, services.clock())
    asked = await read(request, PageForkAsked)
    by = principal.name or "somebody"
    done = await log.fork(
        asked.conversation, as_=asked.as_, event=asked.event, reason=f"inspector, by {by}"
    )
    return {"conversation": asked.as_, "event": done.state.event}


class TrialAsked(msgspec.Struct, rename={"as_": "as"}):
    """say: replaces the turn's message. as_: keeps the trial as a fork of that id."""

    conversation: str
    turn: int
    say: str | None = None
    as_: str | None = None


@post("/inspect/api/trial", opt={"access": "handler"}, status_code=200)
async def trial(request: Json, services: Services, principal: Principal) -> Response[bytes]:
    """Continues from a turn with the served bot: `{"turns"}`, as `replay --from-turn --json`."""
    principal.require(None, services.clock())
    asked = await read(request, TrialAsked)
    options = [f"--bot={_bot(services)}", f"--from-turn={asked.turn}", "--json"]
    options += [f"--say={asked.say}"] if asked.say is not None else []
    options += [f"--as={asked.as_}"] if asked.as_ is not None else []
    said = await services.commands.run(
        "replay", *options, "--", asked.conversation, actor=principal.name
    )
    lines = [msgspec.json.decode(line) for line in said.splitlines()]
    return json(plain.dumps({"turns": [line for line in lines if "actual" in line]}))


def _bot(services: Services) -> str:
    if services.settings.bot is None:
        raise RequestRefused(409, "NoBot", "this server has no bot (serve --bot)")
    return services.settings.bot


handlers = (abilities, fork, trial)

"""The inspector's groups: differences in a kept replay run, minimised, tested and accepted."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from litestar import Response, get, post

from turnlog import AsyncTurnlog
from turnlog.engine.log import Turnlog
from turnlog.serializers.shared import plain
from turnlog.server.auth import Principal
from turnlog.server.errors import RequestRefused
from turnlog.server.replies import answered, json
from turnlog.server.requests import Json, read
from turnlog.server.services import Services
from turnlog.server.shown_run import SHOWN, ShownRun


@get("/inspect/api/groups", opt={"access": "handler"})
async def groups(log: AsyncTurnlog, services: Services, principal: Principal) -> Response[bytes]:
    """The groups of the run: `{"bot", "version", "time", "groups"}`; no groups without a run."""
    principal.require(None, services.clock())
    run = services.run
    return await answered(log, lambda log: {"groups": []} if run is None else run.groups(log))


@get("/inspect/api/differences", opt={"access": "handler"})
async def differences(
    log: AsyncTurnlog,
    services: Services,
    principal: Principal,
    conversation: str = "",
    group: str = "",
) -> Response[bytes]:
    """A list of the divergences of a conversation, or the places of a group's or of all."""
    principal.require(None, services.clock())
    run = services.run

    def read(log: Turnlog) -> list[Any]:
        if run is None:
            return []
        return [*(run.of(log, conversation) if conversation else islice(run.places(group), SHOWN))]

    return await answered(log, read)


class AcceptanceAsked(msgspec.Struct):
    """A group to accept, and why."""

    group: str
    note: str


@post("/inspect/api/accept", opt={"access": "handler"}, status_code=200)
async def accept(request: Json, services: Services, principal: Principal) -> Response[bytes]:
    """Adds a group to the list in the run's folder, as `turnlog accept --json`."""
    principal.require(None, services.clock())
    asked = await read(request, AcceptanceAsked)
    run = _run(services)
    options = [f"--group={_key(run, asked.group)}", f"--note={asked.note}", "--json"]
    return json(
        await services.commands.run("accept", *options, "--", str(run.path), actor=principal.name)
    )


class MinimisingAsked(msgspec.Struct):
    """group: the difference that the minimised conversation must show; by default the first."""

    conversation: str
    group: str | None = None


@post("/inspect/api/minimise", opt={"access": "handler"}, status_code=200)
async def minimise(request: Json, services: Services, principal: Principal) -> Response[bytes]:
    """The fewest messages that show a difference, as `turnlog minimise --json`, and `test`.

    test: a pytest file that fails until the bot is fixed.
    """
    principal.require(None, services.clock())
    asked = await read(request, MinimisingAsked)
    if services.settings.bot is None:
        raise RequestRefused(409, "NoBot", "this server has no bot (serve --bot)")
    options = [f"--bot={services.settings.bot}", "--json"]
    if asked.group is not None:
        options.append(f"--group={_key(_run(services), asked.group)}")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "test_shortened.py"
        options.append(f"--out={path}")
        said = await services.commands.run(
            "minimise", *options, "--", asked.conversation, actor=principal.name
        )
        found: dict[str, Any] = msgspec.json.decode(said)
        return json(plain.dumps({**found, "test": path.read_text()}))


def _run(services: Services) -> ShownRun:
    if services.run is None:
        raise RequestRefused(409, "NoRun", "this server shows no run (serve --run)")
    return services.run


def _key(run: ShownRun, name: str) -> str:
    key = run.key(name)
    if key is None:
        raise RequestRefused(404, "NotFound", "unknown group")
    return key


handlers = (groups, differences, accept, minimise)

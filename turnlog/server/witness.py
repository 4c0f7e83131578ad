"""The witness as a service: c2sp.org/tlog-witness over HTTP."""

from __future__ import annotations

import asyncio
import logging
import socket

import uvicorn
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath

from turnlog.errors import ProofError
from turnlog.proof.witness import CosigningRefused, Witness
from turnlog.server.main import configure_logging, listening_on

MOST_BYTES = 100_000
"""Bytes of a request; 100 signatures and 63 hashes are less."""

TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"

logger = logging.getLogger(__name__)


@post("/add-checkpoint", status_code=200)
async def add_checkpoint(request: Request[None, None, State], state: State) -> Response[str]:
    """Cosigns a head that extends the last one of its log."""
    content = await request.body()
    try:
        made = await asyncio.to_thread(state.witness.cosign, content)
    except CosigningRefused as refused:
        return _refusal(refused)
    except (ProofError, OSError) as error:
        logger.exception("the witness cannot store its heads")
        return Response(f"{error}\n", media_type=TEXT, status_code=500)
    return Response("".join(each.line() for each in made), media_type=TEXT)


def _refusal(refused: CosigningRefused) -> Response[str]:
    level = logging.INFO if refused.status == 409 else logging.WARNING
    logger.log(level, "refused with %d: %s", refused.status, refused)
    if refused.size is not None:
        return Response(f"{refused.size}\n", media_type=SIZE, status_code=refused.status)
    return Response(f"{refused}\n", media_type=TEXT, status_code=refused.status)


@get("/{hash:str}/checkpoint", media_type=MediaType.TEXT, sync_to_thread=True)
def checkpoint(hash: FromPath[str], state: State) -> Response[str]:
    """The last cosigned head of the log whose origin has that hash."""
    note = state.witness.newest(hash) if len(hash) == 64 and hash.isalnum() else None
    if note is None:
        return Response("no head of such a log was cosigned\n", media_type=TEXT, status_code=404)
    return Response(str(note), media_type=TEXT)


def application(witness: Witness) -> Litestar:
    """The witness as a Litestar application."""
    return Litestar(
        route_handlers=[add_checkpoint, checkpoint],
        state=State({"witness": witness}),
        request_max_body_size=MOST_BYTES,
        openapi_config=None,
        logging_config=None,
    )


def run(witness: Witness, host: str, port: int) -> None:
    """Serves until the process is asked to stop. Raises TurnlogError for an address in use."""
    configure_logging()
    listening = listening_on(host, port)
    print(f"witness  http://{_host(host)}:{listening.getsockname()[1]}", flush=True)
    asyncio.run(_serve(witness, listening))


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _serve(witness: Witness, listening: socket.socket) -> None:
    config = uvicorn.Config(
        application(witness), log_config=None, access_log=False, server_header=False,
        lifespan="off", ws="none",
    )  # fmt: skip
    await uvicorn.Server(config).serve([listening])

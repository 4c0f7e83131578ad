"""Rasa's other routes: its version and status, and those that belong to the bot."""

from __future__ import annotations

from typing import Any, NoReturn

from litestar import get, post

from turnlog import __version__
from turnlog.server.errors import RequestRefused
from turnlog.server.services import Services

OF_THE_BOT = (
    "running and predicting actions belongs to the bot; this is its log. Ask the server that runs"
    " the bot, or give the log a message at /webhooks/rest/webhook (serve --bot)"
)


@get("/version")
async def version() -> dict[str, str]:
    """turnlog's version, under Rasa's keys."""
    return {"version": __version__, "minimum_compatible_version": __version__}


@get("/status")
async def status(services: Services) -> dict[str, Any]:
    """Rasa's keys; the bot passed to `serve` takes the place of the model."""
    bot = services.settings.bot
    return {"model_file": bot, "model_id": None, "num_active_training_jobs": 0}


@post("/conversations/{conversation:str}/execute", include_in_schema=False)
async def execute(conversation: str) -> None:
    """Not served: this belongs to the bot."""
    _belongs_to_the_bot("execute")


@post("/conversations/{conversation:str}/predict", include_in_schema=False)
async def predict(conversation: str) -> None:
    """Not served: this belongs to the bot."""
    _belongs_to_the_bot("predict")


@post("/conversations/{conversation:str}/trigger_intent", include_in_schema=False)
async def trigger_intent(conversation: str) -> None:
    """Not served: this belongs to the bot."""
    _belongs_to_the_bot("trigger_intent")


def _belongs_to_the_bot(what: str) -> NoReturn:
    raise RequestRefused(404, "NotFound", f"{what}: {OF_THE_BOT}")


handlers = (version, status, execute, predict, trigger_intent)

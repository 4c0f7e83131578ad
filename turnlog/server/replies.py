"""Responses of the inspector's routes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Response

from turnlog import AsyncTurnlog
from turnlog.engine.log import Turnlog
from turnlog.serializers.shared import plain


def json(content: bytes) -> Response[bytes]:
    """A JSON document that browsers do not cache."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type="application/json", headers=headers)


async def answered(log: AsyncTurnlog, question: Callable[[Turnlog], Any]) -> Response[bytes]:
    """What the log answers to a question, as such a document."""
    return json(await log.read(lambda log: plain.dumps(question(log))))

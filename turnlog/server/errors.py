"""Errors as every route reports them: Rasa's object, with a suitable status."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException

from turnlog import __version__
from turnlog.errors import (
    ConversationError,
    FormatError,
    StorageError,
    TurnlogError,
    UnknownConversation,
    VersionConflict,
)

logger = logging.getLogger(__name__)


class RequestRefused(TurnlogError):
    """A request that is not served. status: HTTP's. reason: one word for programs."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


_STATUS: dict[type[TurnlogError], tuple[int, str]] = {
    UnknownConversation: (404, "NotFound"),
    ConversationError: (400, "BadRequest"),
    FormatError: (400, "BadRequest"),
    VersionConflict: (409, "Conflict"),
    StorageError: (503, "Unavailable"),
    TurnlogError: (500, "InternalError"),
}


def status_of(error: TurnlogError) -> tuple[int, str]:
    """HTTP status and reason."""
    if isinstance(error, RequestRefused):
        return error.status, error.reason
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def failure(status: int, reason: str, message: str) -> dict[str, Any]:
    """Rasa's error object."""
    return {
        "version": __version__,
        "status": "failure",
        "message": message,
        "reason": reason,
        "details": {},
        "help": None,
        "code": status,
    }


def _ours(request: Request[Any, Any, Any], error: TurnlogError) -> Response[Any]:
    status, reason = status_of(error)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return Response(failure(status, reason, str(error)), status_code=status, headers=headers)


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    reason = type(error).__name__.removesuffix("Exception")
    content = failure(error.status_code, reason, _named(error))
    return Response(content, status_code=error.status_code, headers=error.headers or {})


def _named(error: HTTPException) -> str:
    """The message and the parameters at fault, which Litestar keeps in `extra`."""
    faults = error.extra if isinstance(error.extra, list) else []
    named = [f"{fault['key']}: {fault['message']}" for fault in faults if "key" in fault]
    return "; ".join(named) or str(error.detail)


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    logger.error("unexpected failure", exc_info=error)
    return Response(failure(500, "InternalError", "unexpected failure"), status_code=500)


HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
    TurnlogError: _ours,
    HTTPException: _http,
    Exception: _unexpected,
}

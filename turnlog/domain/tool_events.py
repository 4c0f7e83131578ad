"""Calls of tools, and their results."""

from __future__ import annotations

from typing import Any

from turnlog.domain.event import Event


class _Called(Event, frozen=True, array_like=True, gc=False):
    name: str
    arguments: Any = None
    call_id: str | None = None


class ToolCalled(_Called, tag=50, frozen=True, array_like=True, kw_only=True, gc=False):
    """A tool was called; actor is "user" for a call made by the user's side.

    raw: the arguments as the model wrote them, if the parsed ones do not reproduce them. server:
    the model's provider runs the tool. signature: the provider's, as text.
    """

    raw: str | None = None
    server: bool = False
    signature: str | None = None


class _Returned(Event, frozen=True, array_like=True, gc=False):
    result: Any = None
    call_id: str | None = None
    name: str | None = None
    is_error: bool | None = None


class ToolReturned(_Returned, tag=51, frozen=True, array_like=True, kw_only=True, gc=False):
    """A tool returned; answers the nearest earlier unanswered call with its id.

    server: the model's provider ran the tool, and the result is a part of the model's message.
    """

    server: bool = False

"""A client of the OpenAI SDK whose calls are recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from turnlog.engine.aio import AsyncTurnlog
from turnlog.engine.log import Turnlog
from turnlog.extras import needed
from turnlog.openai.scribe import Scribe
from turnlog.openai.transport import async_transport, transport

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    Client = TypeVar("Client", OpenAI, AsyncOpenAI)


def record(client: Client, log: Turnlog | AsyncTurnlog, conversation: str) -> Client:
    """A client of the same type whose calls are recorded in a conversation. `client` itself does
    not change.

    Chat completions and responses, whole or streamed. The new part of a question is durable before
    it is sent, and an answer before its end is seen. A stream that is closed early is recorded as
    broken off. An answer that is requested again replaces the earlier one, from where the question
    ends. Raises TypeError for a client of another type.
    """
    with needed("openai", "recording the OpenAI SDK's calls"):
        import openai
    scribe = Scribe(log.sync if isinstance(log, AsyncTurnlog) else log, conversation)
    inner: Any = getattr(client, "_client", None)
    if inner is None or not isinstance(client, openai.OpenAI | openai.AsyncOpenAI):
        raise TypeError(f"an OpenAI or AsyncOpenAI client was expected, not {client!r:.60}")
    http = import_module(_library(inner))
    if isinstance(client, openai.AsyncOpenAI):
        sending = async_transport(http, inner, scribe, _apart(log))
        return client.copy(http_client=http.AsyncClient(transport=sending, timeout=inner.timeout))
    if isinstance(log, AsyncTurnlog):
        raise TypeError("an OpenAI client records into a log of turnlog.open, not of aopen")
    sending = transport(http, inner, scribe)
    return client.copy(http_client=http.Client(transport=sending, timeout=inner.timeout))


def _library(inner: object) -> str:
    """The HTTP library that the SDK uses."""
    bases = type(inner).__mro__
    client = next(base for base in bases if base.__name__ in ("Client", "AsyncClient"))
    return client.__module__.split(".")[0]


def _apart(log: Turnlog | AsyncTurnlog) -> Callable[[Callable[[], Any]], Awaitable[Any]]:
    if isinstance(log, AsyncTurnlog):
        return lambda work: log.read(lambda _: work())
    return lambda work: asyncio.to_thread(work)

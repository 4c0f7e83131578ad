"""A transport between the SDK and its HTTP client, which records what passes and forwards it
unchanged.

The classes are made for the HTTP library that the SDK uses.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

from turnlog.openai.scribe import Call, Scribe

Result = TypeVar("Result")
Apart = Callable[[Callable[[], Result]], Awaitable[Result]]
"""Runs work that waits for the database without blocking the event loop."""

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\n|\Z)")
"""A carriage return at the end of a piece may be the first half of a line end."""

_ENCODED = ("content-encoding", "content-length", "transfer-encoding")


class ServerSentEvents:
    """Splits bytes into the data of events; lines may end with LF, CR or CRLF."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def take(self, piece: bytes) -> Iterator[bytes]:
        """The data of the events that a piece completes."""
        *lines, self._rest = _LINE_END.split(self._rest + piece)
        yield from self._events(lines)

    def end(self) -> Iterator[bytes]:
        """The data of the last event, which nothing follows."""
        yield from self._events([*self._rest.splitlines(), b""])

    def _events(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                yield b"\n".join(self._data)
                self._data = []


def transport(http: ModuleType, inner: Any, scribe: Scribe) -> Any:
    """The transport through which a client sends its requests."""

    class RecordedTransport(http.BaseTransport):  # type: ignore[name-defined,misc]
        def handle_request(self, request: Any) -> Any:
            call = scribe.asked(request.method, request.url.path, request.read())
            response = inner.send(request, stream=True)
            if call is None or response.is_error:
                return response
            if _is_stream(response):
                return _response(http, response, stream=Tee(response, call))
            body = response.read()
            call.answered(body)
            return _response(http, response, content=body)

    class Tee(http.SyncByteStream):  # type: ignore[name-defined,misc]
        def __init__(self, response: Any, call: Call) -> None:
            self._response, self._call = response, call
            self._events = ServerSentEvents()

        def __iter__(self) -> Iterator[bytes]:
            for piece in self._response.iter_bytes():
                for data in self._events.take(piece):
                    self._call.came(data)
                yield piece
            for data in self._events.end():
                self._call.came(data)
            self._call.ended()

        def close(self) -> None:
            self._response.close()
            self._call.ended()

    return RecordedTransport()


def async_transport(http: ModuleType, inner: Any, scribe: Scribe, apart: Apart[Any]) -> Any:
    """`transport` for an asynchronous client."""

    class AsyncRecordedTransport(http.AsyncBaseTransport):  # type: ignore[name-defined,misc]
        async def handle_async_request(self, request: Any) -> Any:
            body = await request.aread()
            call = await apart(lambda: scribe.asked(request.method, request.url.path, body))
            response = await inner.send(request, stream=True)
            if call is None or response.is_error:
                return response
            if _is_stream(response):
                return _response(http, response, stream=Tee(response, call))
            answered = await response.aread()
            await apart(lambda: call.answered(answered))
            return _response(http, response, content=answered)

    class Tee(http.AsyncByteStream):  # type: ignore[name-defined,misc]
        def __init__(self, response: Any, call: Call) -> None:
            self._response, self._call = response, call
            self._events = ServerSentEvents()

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in self._response.aiter_bytes():
                for data in self._events.take(piece):
                    await apart(partial(self._call.came, data))
                yield piece
            for data in self._events.end():
                await apart(partial(self._call.came, data))
            await apart(self._call.ended)

        async def aclose(self) -> None:
            await self._response.aclose()
            await apart(self._call.ended)

    return AsyncRecordedTransport()


def _is_stream(response: Any) -> bool:
    return bool(response.headers.get("content-type", "").startswith("text/event-stream"))


def _response(http: ModuleType, response: Any, **body: Any) -> Any:
    """The response with its body decoded."""
    headers = [(k, v) for k, v in response.headers.multi_items() if k.lower() not in _ENCODED]
    return http.Response(
        response.status_code,
        headers=headers,
        request=response.request,
        extensions={k: v for k, v in response.extensions.items() if k != "network_stream"},
        **body,
    )

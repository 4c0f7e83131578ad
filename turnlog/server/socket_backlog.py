"""Counts what a socket has not read yet, in packets and in bytes."""

from __future__ import annotations

import asyncio
from typing import Any

import engineio
import socketio


class Backlog(asyncio.Queue[Any]):
    """The packets that wait for a socket; `bytes` is their size."""

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self.bytes = 0

    def _put(self, item: Any) -> None:
        super()._put(item)
        self.bytes += _size(item)

    def _get(self) -> Any:
        item = super()._get()
        self.bytes -= _size(item)
        return item

    def drop(self) -> None:
        """Drops everything."""
        while not self.empty():
            self.get_nowait()
            self.task_done()


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, str | bytes) else 0


class _EngineServer(engineio.AsyncServer):  # type: ignore[misc]  # socketio has no types
    def create_queue(self, *arguments: Any, **options: Any) -> Backlog:
        return Backlog(*arguments, **options)


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]  # socketio has no types
    """A Socket.IO server that knows the backlog of each socket."""

    def _engineio_server_class(self) -> type[engineio.AsyncServer]:
        return _EngineServer

    def backlog(self, sid: str, namespace: str) -> Backlog | None:
        """The backlog of a socket, None if it is gone."""
        socket = self._socket(sid, namespace)
        return None if socket is None else socket.queue

    async def let_go(self, sid: str, namespace: str) -> None:
        """Disconnects a socket that does not read, and drops its backlog."""
        socket = self._socket(sid, namespace)
        if socket is not None:
            socket.queue.drop()
        await self.disconnect(sid, namespace=namespace)
        if socket is not None:
            await socket.close(wait=False)

    def _socket(self, sid: str, namespace: str) -> Any:
        return self.eio.sockets.get(self.manager.eio_sid_from_sid(sid, namespace))

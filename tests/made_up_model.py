"""A model on loopback that speaks OpenAI's APIs and says what it was given to say."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class MadeUpModel:
    """says: what it answers, oldest first: chat messages, lists of responses' output items,
    statuses of HTTP, or a content type and a body as they are. asked: the bodies that came. waits:
    after so many pieces until the other side hangs up.
    """

    def __init__(self) -> None:
        self.says: deque[Any] = deque()
        self.asked: list[dict[str, Any]] = []
        self.url = ""
        self.waits: int | None = None


@contextmanager
def made_up_model() -> Iterator[MadeUpModel]:
    model = MadeUpModel()

    class Handler(_Handler):
        its = model

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    its: MadeUpModel
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.its.asked.append(asked)
        says = self.its.says.popleft()
        if isinstance(says, int):
            self._answer(says, b'{"error": {"message": "not now"}}')
        elif isinstance(says, tuple):
            self._answer(200, says[1], says[0])
        elif asked.get("stream"):
            of_api = _responses_pieces if isinstance(says, list) else _chat_pieces
            self._stream(of_api(says))
        else:
            of_api = _response if isinstance(says, list) else _completion
            self._answer(200, json.dumps(of_api(says)).encode())

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, pieces: Iterator[str]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for number, piece in enumerate(pieces):
            if number == self.its.waits:
                self.rfile.read(1)
                break
            self.wfile.write(f"data: {piece}\n\n".encode())
            self.wfile.flush()
        self.close_connection = True


_USAGE = {
    "prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 1},
}  # fmt: skip
_BESIDE = {"id": "chatcmpl-1", "created": 1, "model": "made-up-1"}


def _completion(message: dict[str, Any]) -> dict[str, Any]:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    said = {"role": "assistant", "content": None, "refusal": None, **message}
    choice = {"index": 0, "message": said, "finish_reason": finish, "logprobs": None}
    return {**_BESIDE, "object": "chat.completion", "choices": [choice], "usage": _USAGE}


def _chat_pieces(message: dict[str, Any]) -> Iterator[str]:
    """The content letter by letter, the arguments of calls in halves."""

    def piece(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return json.dumps({**_BESIDE, "object": "chat.completion.chunk", "choices": [choice]})

    yield piece({"role": "assistant", "content": ""})
    for letter in message.get("content") or "":
        yield piece({"content": letter})
    for index, call in enumerate(message.get("tool_calls") or ()):
        given = call["function"]["arguments"]
        named = {"name": call["function"]["name"], "arguments": ""}
        yield piece({"tool_calls": [{"index": index, "id": call["id"], "type": "function",
                                     "function": named}]})  # fmt: skip
        for half in (given[:3], given[3:]):
            yield piece({"tool_calls": [{"index": index, "function": {"arguments": half}}]})
    yield piece({}, "tool_calls" if message.get("tool_calls") else "stop")
    last = {**_BESIDE, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE}
    yield json.dumps(last)
    yield "[DONE]"


def _response(output: list[Any], status: str = "completed") -> dict[str, Any]:
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "made-up-1",
        "status": status, "output": output, "parallel_tool_calls": True, "tools": [],
        "tool_choice": "auto", "error": None, "incomplete_details": None, "instructions": None,
        "metadata": {}, "temperature": 1, "top_p": 1,
        "usage": {
            "input_tokens": 7, "output_tokens": 3, "total_tokens": 10,
            "input_tokens_details": {"cached_tokens": 2},
            "output_tokens_details": {"reasoning_tokens": 1},
        },
    }  # fmt: skip


def _responses_pieces(output: list[Any]) -> Iterator[str]:
    number = iter(range(10_000))

    def piece(kind: str, **fields: Any) -> str:
        return json.dumps({"type": kind, "sequence_number": next(number), **fields})

    yield piece("response.created", response=_response([], "in_progress"))
    for item in output:
        for part in item.get("content") or ():
            for letter in part["text"]:
                yield piece("response.output_text.delta", item_id=item["id"], output_index=0,
                            content_index=0, delta=letter, logprobs=[])  # fmt: skip
    yield piece("response.completed", response=_response(output))

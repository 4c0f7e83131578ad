"""Calls of the chat completions API as messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from turnlog.domain.events import Usage
from turnlog.domain.message import BROKEN_OFF, Message
from turnlog.domain.message_chat import read_chat
from turnlog.domain.message_openai import OPENAI
from turnlog.domain.message_parts import Opaque
from turnlog.errors import InvalidMessage
from turnlog.openai.question import Question
from turnlog.serializers.openai.messages import exact

PATH = "/chat/completions"


def question(body: Mapping[str, Any]) -> Question:
    """The messages and tools of a request."""
    said = [_read(message) for message in body.get("messages") or ()]
    return Question(said, body.get("tools"))


def _read(message: Mapping[str, Any]) -> Message:
    """A message of the log. One that turnlog does not understand is kept unchanged."""
    try:
        return read_chat(message, exact)
    except InvalidMessage:
        role = message.get("role")
        known = role if role in ("user", "assistant") else "system"
        return Message(known, (Opaque(OPENAI, "message", dict(message)),))


def answer(body: Mapping[str, Any]) -> Message | None:
    """The message of the first choice; None if there is none."""
    choice: dict[str, Any] | None = next(iter(body.get("choices") or ()), None)
    if choice is None:
        return None
    message = read_chat(_plain(choice.get("message") or {}), exact)
    return replace(
        message,
        id=body.get("id"),
        model=body.get("model"),
        finish=choice.get("finish_reason"),
        usage=_usage(body.get("usage")),
    )


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty members."""
    return {"role": "assistant", **{k: v for k, v in message.items() if v not in (None, [])}}


def _usage(usage: Mapping[str, Any] | None) -> Usage | None:
    if not usage:
        return None
    sent, made = usage.get("prompt_tokens_details"), usage.get("completion_tokens_details")
    return Usage(
        input=usage.get("prompt_tokens"),
        output=usage.get("completion_tokens"),
        cached=(sent or {}).get("cached_tokens"),
        reasoning=(made or {}).get("reasoning_tokens"),
    )


class ChatPieces:
    """An answer in pieces.

    is_last: whether a piece announces the end itself; chunks of the chat API do not.
    """

    is_last = False

    def __init__(self) -> None:
        self._beside: dict[str, Any] = {}
        self._message: dict[str, Any] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._function: dict[str, str] = {}
        self._finish: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether a piece said why the answer ends."""
        return self._finish is not None

    def take(self, chunk: Mapping[str, Any]) -> None:
        """Adds a chunk."""
        self._beside |= {k: chunk[k] for k in ("id", "model", "usage") if chunk.get(k)}
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                self._finish = choice.get("finish_reason") or self._finish
                self._add(choice.get("delta") or {})

    def _add(self, delta: Mapping[str, Any]) -> None:
        for field in ("content", "refusal", "reasoning_content"):
            if isinstance(piece := delta.get(field), str):
                self._message[field] = self._message.get(field, "") + piece
        for piece in delta.get("tool_calls") or ():
            call = self._calls.setdefault(piece.get("index", 0), {"id": ""})
            call["id"] = piece.get("id") or call["id"]
            for kind in ("function", "custom"):
                if piece.get(kind):
                    _join(call.setdefault(kind, {}), piece[kind])
        _join(self._function, delta.get("function_call") or {})

    def message(self) -> Message | None:
        """The message so far; None if nothing has arrived.

        An answer that was broken off omits its calls, whose arguments may be incomplete.
        """
        message = dict(self._message)
        if self._calls and self.is_whole:
            message["tool_calls"] = [self._calls[index] for index in sorted(self._calls)]
        if self._function and self.is_whole:
            message["function_call"] = self._function
        if not message:
            return None
        choice: dict[str, Any] = {"message": message, "finish_reason": self._finish or BROKEN_OFF}
        return answer({**self._beside, "choices": [choice]})

    def kept(self) -> dict[str, Any]:
        """What has arrived so far, unchanged."""
        called = {"function_call": self._function} if self._function else {}
        return {**self._message, "tool_calls": list(self._calls.values()), **called}


def _join(held: dict[str, str], piece: Mapping[str, str | None]) -> None:
    """Appends the texts of a piece to those before it."""
    for field, text in piece.items():
        held[field] = held.get(field, "") + (text or "")

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
    said = [_read(message) for message in body.get("messages") or ()]
    return Question(said, body.get("tools"))


def _read(message: Mapping[str, Any]) -> Message:
    """One that is not understood is kept as it is."""
    try:
        return read_chat(message, exact)
    except InvalidMessage:
        role = message.get("role")
        known = role if role in ("user", "assistant") else "system"
        return Message(known, (Opaque(OPENAI, "message", dict(message)),))


def answer(body: Mapping[str, Any]) -> Message | None:
    """Of the first choice; None where there is none."""
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
    """Without members that say nothing."""
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
    """An answer that comes piece by piece.

    is_last: whether the last piece says that it is the last; the chat API says so itself.
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
        return self._finish is not None

    def take(self, chunk: Mapping[str, Any]) -> None:
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
        """What came so far; None where nothing did. A call whose arguments are not whole is
        left out of an answer that was broken off."""
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
        """What came so far, as it came."""
        called = {"function_call": self._function} if self._function else {}
        return {**self._message, "tool_calls": list(self._calls.values()), **called}


def _join(held: dict[str, str], piece: Mapping[str, str | None]) -> None:
    """Put the pieces of texts behind those that came before."""
    for field, text in piece.items():
        held[field] = held.get(field, "") + (text or "")

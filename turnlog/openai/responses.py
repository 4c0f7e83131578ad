"""Calls of the responses API as messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from turnlog.domain.events import Usage
from turnlog.domain.message import BROKEN_OFF, Message
from turnlog.domain.message_openai import OPENAI, content_parts
from turnlog.domain.message_parts import Opaque, Part, Reasoning, Text, ToolCall, ToolResult
from turnlog.openai.question import Question
from turnlog.serializers.openai.messages import exact

PATH = "/responses"


def question(body: Mapping[str, Any]) -> Question:
    """The messages and tools of a request."""
    sent = body.get("input") or []
    items = [{"role": "user", "content": sent}] if isinstance(sent, str) else sent
    instructions = body.get("instructions")
    said = [Message("system", (Text(instructions),))] if isinstance(instructions, str) else []
    continues = body.get("previous_response_id") or body.get("conversation")
    return Question([*said, *_messages(items)], body.get("tools"), is_whole=not continues)


def answer(body: Mapping[str, Any]) -> Message | None:
    """The message of a response; None if it has no output."""
    if not isinstance(body.get("output"), list):
        return None
    parts = tuple(part for item in body.get("output") or () for part in _parts(item))
    return Message(
        "assistant",
        parts,
        id=body.get("id"),
        model=body.get("model"),
        finish=_finish(body),
        usage=_usage(body.get("usage")),
    )


def _finish(body: Mapping[str, Any]) -> str | None:
    """`completed`, or why the response is incomplete."""
    why = (body.get("incomplete_details") or {}).get("reason")
    return why or body.get("status")


def _messages(items: Iterable[Mapping[str, Any]]) -> Iterator[Message]:
    """One message for each item. Items of unknown types are opaque parts of an answer."""
    for item in items:
        parts = tuple(_parts(item))
        if item.get("type") == "function_call_output":
            yield Message("tool", parts)
        else:
            yield Message(item.get("role") or "assistant", parts)


def _parts(item: Mapping[str, Any]) -> Iterator[Part]:
    kind = item.get("type", "message")
    if kind == "message":
        content = item.get("content") or []
        yield from [Text(content)] if isinstance(content, str) else content_parts(content)
    elif kind == "function_call":
        given, raw = exact(item.get("arguments") or "{}")
        yield ToolCall(item.get("call_id"), item.get("name") or "", given, raw)
    elif kind == "function_call_output":
        yield ToolResult(item.get("call_id"), content=item.get("output"))
    elif kind == "reasoning":
        summary = [part.get("text") or "" for part in item.get("summary") or ()]
        text = "\n".join(summary) or None
        yield Reasoning(text, opaque=item.get("encrypted_content"))
    else:
        yield Opaque(OPENAI, str(kind), dict(item))


def _usage(usage: Mapping[str, Any] | None) -> Usage | None:
    if not usage:
        return None
    return Usage(
        input=usage.get("input_tokens"),
        output=usage.get("output_tokens"),
        cached=(usage.get("input_tokens_details") or {}).get("cached_tokens"),
        reasoning=(usage.get("output_tokens_details") or {}).get("reasoning_tokens"),
    )


class ResponsePieces:
    """An answer in pieces, the last of which repeats the whole."""

    def __init__(self) -> None:
        self._begun: dict[str, Any] = {}
        self._text = ""
        self.is_last = False

    def take(self, chunk: Mapping[str, Any]) -> None:
        """Adds a server-sent event's data."""
        if isinstance(response := chunk.get("response"), Mapping):
            self._begun = dict(response)
            self.is_last = response.get("status") in ("completed", "incomplete", "failed")
        elif chunk.get("type") == "response.output_text.delta":
            self._text += str(chunk.get("delta") or "")

    def message(self) -> Message | None:
        """The message so far; None if nothing has arrived."""
        if self.is_last:
            return answer(self._begun)
        if not self._text:
            return None
        named: dict[str, Any] = {"id": self._begun.get("id"), "model": self._begun.get("model")}
        return Message("assistant", (Text(self._text),), finish=BROKEN_OFF, **named)

    def kept(self) -> dict[str, Any]:
        """What has arrived so far, unchanged."""
        return {**self._begun, "text": self._text}

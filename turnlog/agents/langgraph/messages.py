"""LangChain's messages as the log's, and back (docs/agents.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from langchain_core.messages import BaseMessage, SystemMessage, ToolMessage

from turnlog.agents.langgraph.blocks import blocks, parts_of
from turnlog.agents.langgraph.message_fields import message_of
from turnlog.domain.events import Usage
from turnlog.domain.message import Message
from turnlog.domain.message_parts import Part, Text, ToolCall, ToolResult
from turnlog.domain.plain import dumps

_DEVELOPER = {"__openai_role__": "developer"}
"""How LangChain marks a developer's message among the system messages."""


# --- to the log ---------------------------------------------------------------------------------


def said(message: BaseMessage) -> Message:
    """A LangChain message as a message of the log."""
    role = _role(message)
    if isinstance(message, ToolMessage):
        return _result(message)
    metadata = message.response_metadata
    usage = getattr(message, "usage_metadata", None)
    known = role in ("user", "assistant", "system", "developer")
    return Message(
        role if known else "assistant",
        tuple(_parts(message)),
        id=message.id,
        name=message.name,
        author=None if known else role,
        usage=_usage(usage) if usage else None,
        model=_text(metadata, "model_name", "model") if role == "assistant" else None,
        finish=_text(metadata, "finish_reason", "stop_reason") if role == "assistant" else None,
    )


def _role(message: BaseMessage) -> str:
    if isinstance(message, SystemMessage) and message.additional_kwargs == _DEVELOPER:
        return "developer"
    roles = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
    kind = message.type.removesuffix("MessageChunk").lower()
    return roles.get(kind) or str(getattr(message, "role", None) or kind)


def _result(message: ToolMessage) -> Message:
    failed = message.status == "error"
    result = ToolResult(message.tool_call_id, message.name, message.content, failed)
    return Message("tool", (result,), id=message.id, name=message.name)


def _parts(message: BaseMessage) -> Iterator[Part]:
    calls = list(_calls(message))
    content = message.content
    if isinstance(content, str):
        yield from [Text(content)] if content else []
    else:
        yield from blocks(content, calls)
    yield from calls


def _calls(message: BaseMessage) -> Iterator[ToolCall]:
    for call in getattr(message, "tool_calls", ()):
        yield ToolCall(call["id"], call["name"], call["args"])
    for call in getattr(message, "invalid_tool_calls", ()):
        args = call["args"] or ""
        yield ToolCall(call["id"], call["name"] or "", args, args)


def _usage(held: Any) -> Usage:
    cached = (held.get("input_token_details") or {}).get("cache_read")
    reasoning = (held.get("output_token_details") or {}).get("reasoning")
    return Usage(
        input=held.get("input_tokens"),
        output=held.get("output_tokens"),
        cached=cached,
        reasoning=reasoning,
    )


def _text(held: Any, *names: str) -> str | None:
    return next((held[name] for name in names if isinstance(held.get(name), str)), None)


# --- from the log -------------------------------------------------------------------------------


def langchain(message: Message, id: str | None = None) -> list[BaseMessage]:
    """The log's message as LangChain has it: one message for each tool result, else one.

    id: for a message without one.
    """
    own = message.id or id
    if message.role == "tool":
        results = [part for part in message.parts if isinstance(part, ToolResult)]
        return [_returned(r, own if not n else f"{own}:{n}") for n, r in enumerate(results)]
    fields: dict[str, Any] = {"content": _content(message), "name": message.name, "id": own}
    return [_WRITERS[message.role](message, fields)]


def _returned(result: ToolResult, id: str | None) -> BaseMessage:
    held = result.content
    content = held if isinstance(held, str) or _is_content(held) else dumps(held).decode()
    fields = {
        "content": content,
        "name": result.name,
        "id": id,
        "tool_call_id": result.call_id or "",
        "status": "error" if result.is_error else "success",
    }
    return message_of("tool", fields)


def _is_content(held: Any) -> bool:
    return isinstance(held, list) and all(
        isinstance(item, dict) and isinstance(item.get("type"), str) for item in held
    )


def _content(message: Message) -> Any:
    content = message.metadata.get("content")
    if isinstance(content, list):
        return content
    inner = parts_of(message.parts)
    return inner if inner is not None else message.text


def _answered(message: Message, fields: dict[str, Any]) -> BaseMessage:
    calls = [part for part in message.parts if isinstance(part, ToolCall) and not part.server]
    valid = [c for c in calls if isinstance(c.arguments, dict | None)]
    fields["tool_calls"] = [
        {"name": c.name, "args": c.arguments or {}, "id": c.id, "type": "tool_call"} for c in valid
    ]
    fields["invalid_tool_calls"] = [_invalid(c) for c in calls if c not in valid]
    metadata = {"model_name": message.model, "finish_reason": message.finish}
    fields["response_metadata"] = {name: held for name, held in metadata.items() if held}
    if message.usage is not None:
        fields["usage_metadata"] = _metadata(message.usage)
    return message_of("ai", fields)


def _invalid(call: ToolCall) -> dict[str, Any]:
    args = call.raw if call.raw is not None else dumps(call.arguments).decode()
    return {
        "name": call.name, "args": args, "id": call.id, "error": None, "type": "invalid_tool_call",
    }  # fmt: skip


def _metadata(usage: Usage) -> dict[str, Any]:
    given, made = usage.input or 0, usage.output or 0
    held: dict[str, Any] = {
        "input_tokens": given, "output_tokens": made, "total_tokens": given + made,
    }  # fmt: skip
    if usage.cached is not None:
        held["input_token_details"] = {"cache_read": usage.cached}
    if usage.reasoning is not None:
        held["output_token_details"] = {"reasoning": usage.reasoning}
    return held


_WRITERS: dict[str, Callable[[Message, dict[str, Any]], BaseMessage]] = {
    "user": lambda _, fields: message_of("human", fields),
    "assistant": _answered,
    "system": lambda _, fields: message_of("system", fields),
    "developer": lambda _, fields: message_of(
        "system", {**fields, "additional_kwargs": dict(_DEVELOPER)}
    ),
}

"""LangChain's content blocks as parts of the log's messages, and back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from turnlog.domain.message_parts import (
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)

LANGCHAIN = "langchain"
"""Source of the parts that only LangChain understands."""

_MEDIA = ("image", "audio", "video", "file")
_CALLS = ("tool_call", "tool_use", "invalid_tool_call", "function_call")


def blocks(content: Sequence[Any], calls: list[ToolCall]) -> Iterator[Part]:
    """The parts of a content.

    calls: those of its message; calls that have a place in the content are removed from it.
    """
    for block in content:
        if isinstance(block, str):
            yield Text(block)
        elif block.get("type") in _CALLS:
            id = block.get("call_id") or block.get("id")
            if (call := next((call for call in calls if call.id == id), None)) is not None:
                calls.remove(call)
                yield call
        else:
            yield _PARTS.get(block.get("type"), _opaque)(block)


def parts_of(parts: Sequence[Part]) -> list[Any] | None:
    """The content of a message's parts; None if its text alone says everything."""
    if not any(_needs_place(part, parts[:n]) for n, part in enumerate(parts)):
        return None
    found = (_block(part) for part in parts)
    return [block for block in found if block is not None]


def _needs_place(part: Part, before: Sequence[Part]) -> bool:
    if isinstance(part, Text):
        return any(isinstance(earlier, ToolCall) for earlier in before)
    return not isinstance(part, ToolCall) or part.server


# --- to parts -----------------------------------------------------------------------------------


def _opaque(block: dict[str, Any]) -> Part:
    return Opaque(LANGCHAIN, str(block.get("type")), block)


def _text(block: dict[str, Any]) -> Part:
    is_plain = set(block) <= {"type", "text"} and isinstance(block.get("text"), str)
    return Text(block["text"]) if is_plain else _opaque(block)


def _reasoning(block: dict[str, Any]) -> Part:
    text = block.get("reasoning", block.get("thinking"))
    signature = block.get("signature")
    if isinstance(text, str) and isinstance(signature, str | None):
        return Reasoning(text, signature)
    return _opaque(block)


def _media(block: dict[str, Any]) -> Part:
    kind, mime, name = block["type"], block.get("mime_type"), block.get("filename")
    if isinstance(data := block.get("base64"), str):
        try:
            return Media(kind, mime, name=name, content=b64decode(data, validate=True))
        except ValueError:
            return _opaque(block)
    if isinstance(uri := block.get("url"), str):
        return Media(kind, mime, uri=uri, name=name)
    if isinstance(digest := block.get("sha256"), str):
        return Media(kind, mime, sha256=digest, name=name)
    return _opaque(block)


def _image_url(block: dict[str, Any]) -> Part:
    held = block.get("image_url")
    uri = held.get("url") if isinstance(held, dict) else held
    return Media("image", uri=uri) if isinstance(uri, str) else _opaque(block)


def _non_standard(block: dict[str, Any]) -> Part:
    """Restores a part from the log, whose place is in `value`."""
    value = block.get("value")
    if isinstance(value, dict) and value.keys() == {"source", "kind", "content"}:
        return Opaque(value["source"], value["kind"], value["content"])
    if isinstance(value, dict) and isinstance(held := value.get("reasoning"), dict):
        return Reasoning(held.get("text"), held.get("signature"), held.get("opaque"))
    return _opaque(block)


def _server_call(block: dict[str, Any]) -> Part:
    return ToolCall(block["id"], block["name"], block.get("args"), server=True)


def _server_result(block: dict[str, Any]) -> Part:
    failed = block.get("status") == "error"
    return ToolResult(block.get("tool_call_id"), None, block.get("output"), failed)


_PARTS: dict[Any, Callable[[dict[str, Any]], Part]] = {
    "text": _text,
    "reasoning": _reasoning,
    "thinking": _reasoning,
    "refusal": lambda block: Refusal(str(block.get("refusal"))),
    "image_url": _image_url,
    "non_standard": _non_standard,
    "server_tool_call": _server_call,
    "server_tool_result": _server_result,
    **dict.fromkeys(_MEDIA, _media),
}


# --- to blocks ----------------------------------------------------------------------------------


def _block(part: Part) -> dict[str, Any] | None:
    match part:
        case Text():
            return {"type": "text", "text": part.text} if part.text else None
        case Reasoning():
            return _reasoned(part)
        case Refusal():
            return {"type": "refusal", "refusal": part.text}
        case Media():
            return _shown(part)
        case ToolCall():
            kind = "server_tool_call" if part.server else "tool_call"
            return {"type": kind, "id": part.id, "name": part.name, "args": part.arguments}
        case ToolResult():
            status = "error" if part.is_error else "success"
            return {
                "type": "server_tool_result", "tool_call_id": part.call_id,
                "output": part.content, "status": status,
            }  # fmt: skip
        case Opaque():
            return _kept(part)


def _reasoned(part: Reasoning) -> dict[str, Any]:
    if part.opaque is not None or part.text is None:
        held = {"text": part.text, "signature": part.signature, "opaque": part.opaque}
        return {"type": "non_standard", "value": {"reasoning": held}}
    block: dict[str, Any] = {"type": "reasoning", "reasoning": part.text}
    return block if part.signature is None else {**block, "signature": part.signature}


def _shown(part: Media) -> dict[str, Any]:
    block: dict[str, Any] = {"type": part.kind}
    if part.content is not None:
        block["base64"] = b64encode(bytes(part.content)).decode()
    elif part.uri is not None:
        block["url"] = part.uri
    else:
        block["sha256"] = part.sha256
    named = {"mime_type": part.mime, "filename": part.name}
    return {**block, **{name: held for name, held in named.items() if held is not None}}


def _kept(part: Opaque) -> dict[str, Any]:
    if part.source == LANGCHAIN and isinstance(part.content, dict):
        return part.content
    value = {"source": part.source, "kind": part.kind, "content": part.content}
    return {"type": "non_standard", "value": value}

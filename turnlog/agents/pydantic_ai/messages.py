"""pydantic-ai's messages in their JSON form, as messages of the log and back."""

from __future__ import annotations

from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from turnlog.agents.saves import SOURCE
from turnlog.domain.events import Usage
from turnlog.domain.message import Message
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
from turnlog.serializers.openai.messages import exact

PROVIDER = "turnlog"
"""Provider of parts whose details come from other frameworks."""

Document = dict[str, Any]
"""One ModelMessage as JSON."""


# --- to the log ---------------------------------------------------------------------------------


def read(document: Document) -> list[Message]:
    """The messages of a document: a request has those of system, user and tools; a response
    is one.
    """
    if document.get("kind") != "response":
        return [_asked(part) for part in document["parts"]]
    parts = tuple(part for held in document["parts"] for part in _answered(held))
    usage = _usage(document.get("usage") or {})
    finish = document.get("finish_reason")
    return [
        Message("assistant", parts, model=document.get("model_name"), finish=finish, usage=usage)
    ]


def _asked(part: Document) -> Message:
    kind, content = part.get("part_kind"), part.get("content")
    if kind == "system-prompt" and isinstance(content, str):
        return Message("system", (Text(content),))
    if kind == "user-prompt":
        said = [content] if isinstance(content, str) else content or ()
        return Message("user", tuple(_shown(each) for each in said))
    if kind == "tool-return" or (kind == "retry-prompt" and part.get("tool_name")):
        return Message("tool", (_result(part),), name=part.get("tool_name"))
    if kind == "speech" and (said := list(_spoken(part))):
        return Message("user", tuple(said))
    if kind in ("retry-prompt", "retry-feedback") and isinstance(content, str):
        return Message("system", (Text(content),))  # no person said it
    return Message("system", (_opaque(part),))


def _spoken(part: Document) -> Iterator[Part]:
    if part.get("transcript"):
        yield Text(part["transcript"])
    if isinstance(audio := part.get("audio"), dict):
        yield _shown(audio)


def _result(part: Document) -> ToolResult:
    failed = part.get("part_kind") == "retry-prompt" or part.get("outcome", "success") != "success"
    return ToolResult(part.get("tool_call_id"), part.get("tool_name"), part.get("content"), failed)


def _shown(content: Any) -> Part:
    """What a user shows: texts, addresses of media, bytes."""
    if isinstance(content, str):
        return Text(content)
    kind, mime = content.get("kind"), content.get("media_type")
    if kind == "text-content" or (kind is None and isinstance(content.get("content"), str)):
        return Text(content["content"])
    if kind == "binary":
        return Media(_kind_of(mime or ""), mime, content=b64decode(content["data"]))
    if isinstance(kind, str) and isinstance(content.get("url"), str):
        named = kind.removesuffix("-url")
        return Media("file" if named == "document" else named, mime, uri=content["url"])
    return Opaque(SOURCE, str(kind), content)


def _kind_of(mime: str) -> str:
    kind = mime.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else "file"


def _answered(part: Document) -> Iterator[Part]:
    kind, content = part.get("part_kind"), part.get("content")
    details = part.get("provider_details") if part.get("provider_name") == PROVIDER else None
    if kind == "text":
        yield Refusal(part["content"]) if details else Text(part["content"])
    elif kind == "thinking":
        yield Reasoning(content or None, part.get("signature"), (details or {}).get("opaque"))
    elif kind in ("tool-call", "builtin-tool-call"):
        yield _call(part, server=kind != "tool-call")
    elif kind == "builtin-tool-return":
        yield _result(part)
    elif kind == "file" and isinstance(content, dict):
        yield _shown(content)
    elif kind == "speech" and (said := list(_spoken(part))):
        yield from said
    else:
        yield _opaque(part)


def _call(part: Document, *, server: bool) -> ToolCall:
    held = part.get("args")
    given, raw = exact(held) if isinstance(held, str) else (held, None)
    return ToolCall(part.get("tool_call_id"), part["tool_name"], given, raw, server=server)


def _opaque(part: Document) -> Opaque:
    return Opaque(SOURCE, str(part.get("part_kind")), part)


def _usage(usage: Mapping[str, Any]) -> Usage | None:
    counts = Usage(
        input=usage.get("input_tokens") or None,
        output=usage.get("output_tokens") or None,
        cached=usage.get("cache_read_tokens") or None,
        reasoning=usage.get("output_reasoning_tokens") or None,
    )
    return None if counts == Usage() else counts


# --- what others recorded -----------------------------------------------------------------------


def written(message: Message, time: str) -> Document:
    """A message of the log as a document of pydantic-ai; time in ISO 8601.

    Parts that only another framework understands are omitted.
    """
    if message.role == "assistant":
        parts = [held for part in message.parts for held in _to_answer(part)]
        return {"kind": "response", "parts": parts, "timestamp": time, "model_name": message.model}
    parts = list(_to_ask(message))
    return {"kind": "request", "parts": [{**part, "timestamp": time} for part in parts]}


def together(documents: Sequence[Document]) -> Document:
    """Several documents as one."""
    return {**documents[0], "parts": [part for each in documents for part in each["parts"]]}


def _to_ask(message: Message) -> Iterator[Document]:
    if message.role in ("system", "developer"):
        yield {"part_kind": "system-prompt", "content": message.text}
        return
    shown: list[Any] = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield _returned(part, "tool-return")
        elif isinstance(part, Text):
            shown.append(part.text)
        elif isinstance(part, Media) and (media := _media(part)) is not None:
            shown.append(media)
    if shown and message.role == "user":
        alone = shown[0] if len(shown) == 1 and isinstance(shown[0], str) else shown
        yield {"part_kind": "user-prompt", "content": alone}


def _to_answer(part: Part) -> Iterator[Document]:
    if isinstance(part, Text):
        yield {"part_kind": "text", "content": part.text}
    elif isinstance(part, Refusal):
        yield {"part_kind": "text", "content": part.text, **_details({"refusal": True})}
    elif isinstance(part, Reasoning):
        opaque = {} if part.opaque is None else _details({"opaque": part.opaque})
        held = {"content": part.text or "", "signature": part.signature, **opaque}
        yield {"part_kind": "thinking", **held}
    elif isinstance(part, ToolCall):
        kind = "builtin-tool-call" if part.server else "tool-call"
        given = part.arguments if part.raw is None else part.raw
        yield {"part_kind": kind, "tool_name": part.name, "args": given, "tool_call_id": part.id}
    elif isinstance(part, ToolResult):
        yield _returned(part, "builtin-tool-return")
    elif isinstance(part, Media) and part.content is not None:
        yield {"part_kind": "file", "content": _media(part)}


def _details(details: Document) -> Document:
    """Details for which pydantic-ai has no member, and which it sends to no provider."""
    return {"provider_name": PROVIDER, "provider_details": details}


def _returned(part: ToolResult, kind: str) -> Document:
    return {
        "part_kind": kind,
        "tool_name": part.name or "",
        "content": part.content,
        "tool_call_id": part.call_id or "",
        "outcome": "failed" if part.is_error else "success",
    }


def _media(part: Media) -> Document | None:
    if part.content is not None:
        data = urlsafe_b64encode(bytes(part.content)).decode()
        mime = part.mime or "application/octet-stream"
        return {"kind": "binary", "data": data, "media_type": mime}
    if part.uri is None:
        return None
    kind = "document" if part.kind == "file" else part.kind
    known = {} if part.mime is None else {"media_type": part.mime}
    return {"kind": f"{kind}-url", "url": part.uri, **known}


# --- bytes --------------------------------------------------------------------------------------


def with_plain_base64(document: Any) -> Any:
    """Converts pydantic's URL-safe base64 to plain base64, which skeletons use."""
    return _with_data(document, lambda data: b64encode(urlsafe_b64decode(data)).decode())


def with_url_base64(document: Any) -> Any:
    """The inverse of `with_plain_base64`."""
    return _with_data(document, lambda data: urlsafe_b64encode(b64decode(data)).decode())


def _with_data(value: Any, convert: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_with_data(item, convert) for item in value]
    if not isinstance(value, dict):
        return value
    held = {key: _with_data(item, convert) for key, item in value.items()}
    if held.get("kind") == "binary" and isinstance(held.get("data"), str):
        held["data"] = convert(held["data"])
    return held

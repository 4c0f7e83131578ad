"""Messages in the form of OpenAI's chat API, and the parts of their contents."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from turnlog.domain.message_parts import Media, Opaque, Part, Refusal, Text, ToolCall, ToolResult
from turnlog.domain.plain import dumps

OPENAI = "openai"
"""Source of opaque parts that go back into a content unchanged."""

FUNCTION_CALL = "function_call"
"""In `metadata`: the last call is in the API's first form; the value is its other members."""

AUDIO = "audio"
"""In `metadata`: the members of a spoken answer besides its sound."""

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
_TEXTS = ("text", "input_text", "output_text")


# --- to OpenAI ----------------------------------------------------------------------------------


def chat_message(role: str, parts: Sequence[Part], name: str | None) -> dict[str, Any]:
    """Reasoning, calls that the provider ran itself, and media without bytes or address are
    omitted.
    """
    if role == "tool":
        results = (part for part in parts if isinstance(part, ToolResult))
        return _result(role, next(results, ToolResult(None)))
    message: dict[str, Any] = {"role": role, "content": _content(parts)}
    if name is not None:
        message["name"] = name
    if refusals := [part.text for part in parts if isinstance(part, Refusal)]:
        message["refusal"] = "".join(refusals)
    if calls := [p.as_openai() for p in parts if isinstance(p, ToolCall) and not p.server]:
        message["tool_calls"] = calls
    return message


def in_first_form(message: dict[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The message as received, if it calls a function, or answers, in the API's first form."""
    if message["role"] == "tool" and metadata.get("role") == "function":
        rest = {name: held for name, held in message.items() if name != "tool_call_id"}
        return {**rest, "role": "function"}
    beside = metadata.get(FUNCTION_CALL)
    if not isinstance(beside, Mapping) or "name" in beside or not message.get("tool_calls"):
        return message
    *calls, call = message["tool_calls"]
    changed = {name: held for name, held in message.items() if name != "tool_calls"}
    changed[FUNCTION_CALL] = {**call["function"], **beside}
    return {**changed, "tool_calls": calls} if calls else changed


def spoken(parts: Sequence[Part], metadata: Mapping[str, Any]) -> tuple[Sequence[Part], Any]:
    """The parts without the sound of a spoken answer, and the answer's `audio`; None for none."""
    beside = metadata.get(AUDIO)
    sounds = [p for p in parts if isinstance(p, Media) and p.kind == AUDIO and p.content]
    if not isinstance(beside, Mapping) or beside.get("data", "") is not None or not sounds:
        return parts, None
    data = b64encode(bytes(sounds[-1].content or b"")).decode()
    return [part for part in parts if part is not sounds[-1]], {**beside, "data": data}


def sound(audio: Any) -> Media | None:
    """The `audio` of a spoken answer; None if it has none, or one that would not round-trip."""
    data = audio.get("data") if isinstance(audio, Mapping) else None
    content = _bytes(data) if isinstance(data, str) else None
    is_exact = content and b64encode(content).decode() == data
    return Media(AUDIO, content=content) if is_exact else None


def is_held(part: Part) -> bool:
    """Whether the chat API can represent a part."""
    if isinstance(part, Media | Opaque):
        return _content_part(part) is not None
    return isinstance(part, Text | Refusal) or (isinstance(part, ToolCall) and not part.server)


def _content(parts: Sequence[Part]) -> Any:
    """One text, if there are only texts."""
    if any(isinstance(part, Media | Opaque) and is_held(part) for part in parts):
        return [held for part in parts if (held := _content_part(part)) is not None]
    texts = [part.text for part in parts if isinstance(part, Text)]
    return "".join(texts) if texts else None


def _content_part(part: Part) -> Any:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if isinstance(part, Opaque):
        return part.content if part.source == OPENAI and isinstance(part.content, dict) else None
    return _media(part) if isinstance(part, Media) else None


def _media(media: Media) -> dict[str, Any] | None:
    data = None if media.content is None else b64encode(bytes(media.content)).decode()
    mime = media.mime or "application/octet-stream"
    url = media.uri if data is None else f"data:{mime};base64,{data}"
    if media.kind == "image" and url is not None:
        return {"type": "image_url", "image_url": {"url": url}}
    if media.kind == "audio" and data is not None:
        return {"type": "input_audio", "input_audio": {"data": data, "format": mime[6:]}}
    if media.kind == "file" and data is not None:
        named = {} if media.name is None else {"filename": media.name}
        return {"type": "file", "file": {**named, "file_data": url}}
    return None


def _result(role: str, part: ToolResult) -> dict[str, Any]:
    message = {"role": role, "tool_call_id": part.call_id, "name": part.name}
    message = {name: held for name, held in message.items() if held is not None}
    is_text = isinstance(part.content, str) or _are_texts(part.content)
    return {**message, "content": part.content if is_text else dumps(part.content).decode()}


def _are_texts(content: Any) -> bool:
    return isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" for part in content
    )


# --- from OpenAI --------------------------------------------------------------------------------


def content_text(content: Sequence[Any]) -> str | None:
    """The texts of a content of parts, as one utterance; None for none."""
    parts = (part for part in content if isinstance(part, dict))
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return "\n".join(texts) if texts else None


def with_text(content: Sequence[Any], text: str | None) -> list[Any]:
    """The content with this text in place of all its texts."""
    rest = [part for part in content if content_text([part]) is None]
    return rest if text is None else [{"type": "text", "text": text}, *rest]


def content_parts(content: Sequence[Any]) -> Iterator[Part]:
    """The parts of a content; an unknown one is opaque."""
    for source in content:
        part = source if isinstance(source, dict) else {}
        kind = part.get("type")
        text = part.get("text")
        if isinstance(text, str) and kind in (None, *_TEXTS):
            yield Text(text)
        elif kind == "refusal" and isinstance(part.get("refusal"), str):
            yield Refusal(part["refusal"])
        else:
            yield _media_of(part) or Opaque(OPENAI, kind if isinstance(kind, str) else "", source)


def _media_of(part: dict[str, Any]) -> Media | None:
    held = part.get(str(part.get("type")).removeprefix("input_"))
    if part.get("type") in ("image_url", "input_image"):
        held = part.get("image_url")
        url = held.get("url") if isinstance(held, dict) else held
        return _at_url("image", url) if isinstance(url, str) else None
    if part.get("type") == "input_audio":
        held = part.get("input_audio")
        return _audio(held) if isinstance(held, dict) else None
    if part.get("type") == "file" and isinstance(held, dict):
        name, data = held.get("filename"), held.get("file_data")
        named = name if isinstance(name, str) else None
        return _at_url("file", data, named) if isinstance(data, str) else None
    return None


def _audio(held: dict[str, Any]) -> Media | None:
    data, format = held.get("data"), held.get("format")
    content = _bytes(data) if isinstance(data, str) else None
    is_known = content is not None and isinstance(format, str)
    return Media("audio", f"audio/{format}", content=content) if is_known else None


def _at_url(kind: str, url: str, name: str | None = None) -> Media:
    found = _DATA_URL.fullmatch(url)
    content = None if found is None else _bytes(found[2])
    if found is None or content is None:
        return Media(kind, uri=url, name=name)
    return Media(kind, found[1], name=name, content=content)


def _bytes(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except (NotBase64, ValueError):
        return None

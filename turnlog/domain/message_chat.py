"""Reads chat messages in the form of OpenAI's API; `Message.as_openai` writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from turnlog.domain.errors import InvalidMessage
from turnlog.domain.message import Message
from turnlog.domain.message_openai import AUDIO, FUNCTION_CALL, content_parts, sound
from turnlog.domain.message_parts import Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from turnlog.domain.plain import dumps

Arguments = Callable[[str], tuple[Any, str | None]]
"""Reads the text of a call's arguments: `arguments` and `raw` of a ToolCall."""

_READ = frozenset(("role", "content", "name", "refusal", "reasoning_content", "tool_calls"))
_CALL = frozenset(("id", "type", "function", "custom", "name", "arguments"))
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


def read_chat(message: Mapping[str, Any], arguments: Arguments) -> Message:
    """The message in a chat dict; members without a place in a message become its metadata.

    Raises InvalidMessage if a member has another type than the API's.
    """
    role = _member(message, "", "role", str, "?")
    if role not in ROLES:
        raise InvalidMessage(role, "role", f"{role!r:.60} is not a role")
    if role in ("tool", "function"):
        return _result(role, message)
    metadata = _rest(message, _READ)
    if (called := _function_call(message)) is not None:
        metadata[FUNCTION_CALL] = _rest(called, frozenset(("name", "arguments")))
    if role == "assistant" and sound(message.get(AUDIO)) is not None:
        metadata[AUDIO] = {**message[AUDIO], "data": None}
    content = _content(role, message)
    if isinstance(content, list):
        metadata["content"] = content
    name = message.get("name")
    if name is not None and not isinstance(name, str):
        metadata["name"] = name
    return Message(
        role,
        tuple(_parts(role, message, content, arguments)),
        name=name if isinstance(name, str) else None,
        metadata=metadata,
    )


def _result(role: str, message: Mapping[str, Any]) -> Message:
    metadata = _rest(message, frozenset(("role", "content", "name", "tool_call_id", "error")))
    if role != "tool":
        metadata["role"] = role
    name, failed = message.get("name"), message.get("error")
    if failed is not None and not isinstance(failed, bool):
        metadata["error"] = failed
    if name is not None and not isinstance(name, str):
        metadata["name"], name = name, None
    call_id = _optional(message, role, "tool_call_id")
    part = ToolResult(call_id, name, message.get("content"), failed is True)
    return Message("tool", (part,), name=name, metadata=metadata)


def _content(role: str, message: Mapping[str, Any]) -> str | list[Any] | None:
    content = message.get("content")
    if content is None or isinstance(content, str | list):
        return content
    raise InvalidMessage(
        role, "content", f"is {content!r:.60}, which is neither a text nor a list of parts"
    )


def _parts(
    role: str, message: Mapping[str, Any], content: str | list[Any] | None, arguments: Arguments
) -> Iterator[Part]:
    """Reasoning comes first, unless the content is a list of parts, which opens the message."""
    thought = [Reasoning(text) for text in _texts(message, role, "reasoning_content")]
    if isinstance(content, list):
        yield from content_parts(content)
        yield from thought
    else:
        yield from thought
        if content is not None:
            yield Text(content)
    if role == "assistant" and (said := sound(message.get(AUDIO))) is not None:
        yield said
    yield from map(Refusal, _texts(message, role, "refusal"))
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise InvalidMessage(role, "tool_calls", f"is {calls!r:.60}, which is not a list")
    for index, call in enumerate(calls):
        yield _call(role, f"tool_calls[{index}].", call, arguments)
    if (called := _function_call(message)) is not None:
        yield _called(called, arguments)


def _function_call(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The call in a message of the API's first form, which has no id; None for none."""
    called = message.get(FUNCTION_CALL)
    if not isinstance(called, Mapping):
        return None
    texts = isinstance(called.get("name"), str) and isinstance(called.get("arguments"), str)
    return called if texts else None


def _called(called: Mapping[str, Any], arguments: Arguments) -> ToolCall:
    """The text, if the parsed arguments do not reproduce it."""
    source = called["arguments"]
    given, raw = arguments(source)
    if raw is None and dumps(given).decode() != source:
        raw = source
    return ToolCall(None, called["name"], given, raw)


def _call(role: str, at: str, call: Any, arguments: Arguments) -> ToolCall:
    if not isinstance(call, Mapping):
        raise InvalidMessage(role, at[:-1], f"is {call!r:.60}, which is not an object")
    custom = call.get("custom")
    nested = call.get("function", custom)
    function = call if nested is None else nested
    if not isinstance(function, Mapping):
        raise InvalidMessage(role, f"{at}function", f"is {nested!r:.60}, which is not an object")
    name = _member(function, at, "name", str, role)
    source = function.get("arguments")
    given, raw = arguments(source) if isinstance(source, str) else (source, None)
    if custom is not None and isinstance(text := function.get("input"), str):  # in any form
        given, raw = text, text
    return ToolCall(_optional(call, role, "id", at), name, given, raw)


def beyond(call: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a call in a chat dict without a place in a `ToolCall`."""
    rest = _rest(call, _CALL | {"requestor"})
    if call.get("type") not in (None, "function"):
        rest["type"] = call["type"]
    return rest


# --- members ------------------------------------------------------------------------------------


def _rest(holder: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {key: held for key, held in holder.items() if key not in known and held is not None}


def _texts(message: Mapping[str, Any], role: str, field: str) -> list[str]:
    held = _optional(message, role, field)
    return [] if held is None else [held]


def _optional(holder: Mapping[str, Any], role: str, field: str, at: str = "") -> str | None:
    held = holder.get(field)
    if held is not None and not isinstance(held, str):
        raise InvalidMessage(role, at + field, f"is {held!r:.60}, which has the wrong type")
    return held


def _member(holder: Mapping[str, Any], at: str, field: str, kind: type, role: str) -> Any:
    if field not in holder:
        raise InvalidMessage(role, at + field, "is missing")
    if not isinstance(held := holder[field], kind):
        raise InvalidMessage(role, at + field, f"is {held!r:.60}, which has the wrong type")
    return held

"""When two conversations say the same: between frameworks, and within one (ADR 14)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain.attachment import Attachment
from turnlog.domain.calls import OpenCalls
from turnlog.domain.message import Message
from turnlog.domain.message_parts import Media, Part, Reasoning, Text, ToolCall, ToolResult
from turnlog.domain.values import same


def alike(ones: Iterable[Message], others: Iterable[Message]) -> bool:
    """Level 1, between frameworks: the same parts of the same roles in the same order.

    Ignored: where a message ends and the next of its role begins, ids, names, authors, usage,
    models, finish reasons, metadata.
    """
    return same(list(flattened(ones)), list(flattened(others)))


def identical(ones: Iterable[Message], others: Iterable[Message]) -> bool:
    """Level 2, within a framework: equal in everything but their places; 1 differs from 1.0."""
    return same(*([*map(_anywhere, side)] for side in (ones, others)))


def _anywhere(message: Message) -> Message:
    bare: Message = replace(message, event=None, branch=None, branch_turn=None)
    return bare


def flattened(messages: Iterable[Message]) -> Iterator[tuple[str, Part]]:
    """What level 1 compares: each part with its role, in a form that any framework can express."""
    names = OpenCalls[str]()
    for message in messages:
        names.pause()
        role = "system" if message.role == "developer" else message.role
        for part in _with_texts_joined(message):
            if isinstance(part, ToolCall):
                names.made(part.id, part.name)
            yield role, _bare(part, names)


def _with_texts_joined(message: Message) -> Iterator[Part]:
    """All its texts in the place of the first that says something; without one, none."""
    text = message.text
    for part in message.parts:
        if not isinstance(part, Text):
            yield part
        elif text and part.text:
            yield Text(text)
            text = ""


def _bare(part: Part, names: OpenCalls[str]) -> Part:
    """Without what only one framework knows. names: of the earlier calls."""
    if isinstance(part, ToolCall):
        return replace(part, arguments=_arguments(part), raw=None, signature=None)
    if isinstance(part, ToolResult):
        called = names.answered(part.call_id)
        return replace(part, name=part.name or called, content=_result(part.content))
    if isinstance(part, Reasoning):
        return replace(part, text=part.text or None)
    if isinstance(part, Media):
        return replace(part, name=None, content=None, sha256=_sha256(part))
    return part


def _sha256(media: Media) -> str | None:
    held = media.content
    if isinstance(held, Attachment):
        return held.sha256().hex()
    return media.sha256 if held is None else sha256(held).hexdigest()


def _result(content: Any) -> Any:
    """Its JSON as text: some frameworks have only texts."""
    if not isinstance(content, str):
        return content
    try:
        held = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeError):
        return content
    return content if isinstance(held, str) else held


def _arguments(call: ToolCall) -> Any:
    """Arguments as JSON; a text that is not JSON stays, and none is an empty object."""
    given = call.arguments
    if given is None:
        return {}
    if not isinstance(given, str) or call.raw is None:
        return given
    try:
        return msgspec.json.decode(call.raw)
    except (msgspec.DecodeError, UnicodeError):
        return given

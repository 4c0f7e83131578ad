"""What was said, in the shape of today's models: a message with a role, made of parts (ADR 14)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from turnlog.domain.events import Usage
from turnlog.domain.message_openai import chat_message, content_parts, in_first_form, spoken
from turnlog.domain.message_parts import Part, Text

BROKEN_OFF = "broken_off"
"""Finish reason of an incomplete answer."""


class Message(msgspec.Struct, frozen=True):
    """event: the number of its first event. author: who, beyond the role.

    role: system, developer, user, assistant or tool. name: the author's or the tool's. finish:
    stop, length, tool_calls, broken_off, or a provider's own word. metadata: what a foreign source
    adds; `content` in it are the parts in the form of OpenAI's API. branch: where it was recorded,
    branch_turn: its turn there; None without branches.
    """

    role: str
    parts: tuple[Part, ...] = ()
    id: str | None = None
    name: str | None = None
    author: str | None = None
    usage: Usage | None = None
    model: str | None = None
    finish: str | None = None
    metadata: Mapping[str, Any] = {}
    event: int | None = None
    branch: str | None = None
    branch_turn: int | None = None

    @property
    def text(self) -> str:
        """Its texts, joined."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    def as_openai(self) -> dict[str, Any]:
        """The message in the form of OpenAI's chat API, without what that cannot represent."""
        content = None if self.role == "tool" else self.metadata.get("content")
        # the content must not repeat its own members
        said = len(list(content_parts(content))) if isinstance(content, list) else 0
        parts, audio = spoken(self.parts[said:], self.metadata)
        message = in_first_form(chat_message(self.role, parts, self.name), self.metadata)
        if audio is not None:
            message["audio"] = audio
        return {**message, "content": content} if content else message

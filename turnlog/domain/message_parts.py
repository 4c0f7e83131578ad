"""The parts of a message."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.attachment import Attachment
from turnlog.domain.plain import dumps


class Text(msgspec.Struct, frozen=True, tag=True):
    """Words."""

    text: str


class Reasoning(msgspec.Struct, frozen=True, tag=True):
    """The model's reasoning. signature: the provider's. opaque: what only the provider can read."""

    text: str | None = None
    signature: str | None = None
    opaque: Any = None


class ToolCall(msgspec.Struct, frozen=True, tag=True):
    """A call of a tool.

    id: None if it has none; a call recorded without one has `call_N` for event N. raw: the
    arguments as the model wrote them, if the parsed ones do not reproduce them; arguments that are
    not a JSON object are a text, and raw is the same text. server: the model's provider runs the
    tool. signature: the provider's.
    """

    id: str | None
    name: str
    arguments: Any = None
    raw: str | None = None
    server: bool = False
    signature: str | None = None

    def as_openai(self) -> dict[str, Any]:
        """The call in the form of OpenAI's chat API."""
        given = {} if self.arguments is None else self.arguments
        text = dumps(given).decode() if self.raw is None else self.raw
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": text},
        }


class ToolResult(msgspec.Struct, frozen=True, tag=True):
    """The result of a tool call. content: any JSON value. In a message of the assistant, the
    model's provider ran the tool.
    """

    call_id: str | None
    name: str | None = None
    content: Any = None
    is_error: bool = False


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """The model's refusal to answer."""

    text: str


class Media(msgspec.Struct, frozen=True, tag=True):
    """An image, a sound, a video or a file: its bytes, their digest, or their address.

    kind: image, audio, video or file. sha256: in hexadecimal digits. name: the file's.
    """

    kind: str
    mime: str | None = None
    sha256: str | None = None
    uri: str | None = None
    name: str | None = None
    content: bytes | Attachment | None = None


class Opaque(msgspec.Struct, frozen=True, tag=True):
    """A part that only its source understands. kind: the source's name for it."""

    source: str
    kind: str
    content: Any = None


Part = Text | Reasoning | ToolCall | ToolResult | Refusal | Media | Opaque

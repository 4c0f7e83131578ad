"""What a message is made of."""

from __future__ import annotations

from typing import Any

import msgspec

from turnlog.domain.attachment import Attachment
from turnlog.domain.plain import dumps


class Text(msgspec.Struct, frozen=True, tag=True):
    text: str


class Reasoning(msgspec.Struct, frozen=True, tag=True):
    """What the model thought. signature: the provider's. opaque: what only it can read."""

    text: str | None = None
    signature: str | None = None
    opaque: Any = None


class ToolCall(msgspec.Struct, frozen=True, tag=True):
    """id: None where it has none; of a call that was recorded so, the log gives it `call_N` for
    event N. raw: the arguments as the model wrote them, where the parsed ones do not give them
    back; arguments that are no JSON object are a text, and raw is the same text. server: the
    model's provider runs the tool. signature: the provider's.
    """

    id: str | None
    name: str
    arguments: Any = None
    raw: str | None = None
    server: bool = False
    signature: str | None = None

    def as_openai(self) -> dict[str, Any]:
        given = {} if self.arguments is None else self.arguments
        text = dumps(given).decode() if self.raw is None else self.raw
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": text},
        }


class ToolResult(msgspec.Struct, frozen=True, tag=True):
    """content: what the tool returned, any JSON value. In a message of the assistant it is that
    of a tool that the model's provider ran.
    """

    call_id: str | None
    name: str | None = None
    content: Any = None
    is_error: bool = False


class Refusal(msgspec.Struct, frozen=True, tag=True):
    text: str


class Media(msgspec.Struct, frozen=True, tag=True):
    """An image, a sound, a video or a file: its bytes, or their digest, or where they are.

    kind: image, audio, video or file. sha256: in hexadecimal digits. name: the file's.
    """

    kind: str
    mime: str | None = None
    sha256: str | None = None
    uri: str | None = None
    name: str | None = None
    content: bytes | Attachment | None = None


class Opaque(msgspec.Struct, frozen=True, tag=True):
    """What only its source understands. kind: what the source calls it."""

    source: str
    kind: str
    content: Any = None


Part = Text | Reasoning | ToolCall | ToolResult | Refusal | Media | Opaque

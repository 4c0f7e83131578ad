"""Hugging Face's chat format, as TRL trains on it: messages, and tools as JSON text (trl#5118)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.openai.text_chat import text_chat, tools_text
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.document import write_lines


class TrlCodec(Codec):
    """One conversation a line: `{"messages": […], "tools": "[…]"}`."""

    name = "trl"
    suffix = ".jsonl"
    writes = True

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        chat = text_chat(dialogue)
        if chat.messages:
            content: dict[str, Any] = {"messages": chat.messages}
            if (tools := tools_text(chat)) is not None:
                content["tools"] = tools
            yield Example.of(dialogue, content, chat.lost)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        write_lines(examples, out)

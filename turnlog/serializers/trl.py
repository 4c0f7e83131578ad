"""Hugging Face's chat format, as TRL trains on it and chat templates read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.openai.text_chat import text_chat
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.document import write_lines


class TrlCodec(Codec):
    """One conversation a line: `{"messages": […], "tools": […]}`.

    Options: trim, to end with the assistant's last message.
    """

    name = "trl"
    suffix = ".jsonl"
    writes = True

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        chat = text_chat(dialogue, trim=self.options.get("trim", False))
        if chat.messages:
            yield Example.of(dialogue, chat.content, chat.lost, chat.noted)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        write_lines(examples, out)

"""ShareGPT's format: human or observation, then gpt or function_call, in turns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.openai.alternation import Exchange, alternation
from turnlog.serializers.openai.text_chat import text_chat, tools_text
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.document import write_array


class SharegptCodec(Codec):
    """`{"conversations": [{"from", "value"}, …], "system": …, "tools": "[…]"}`, in an array.

    Calls of one message are a list in one function_call, and their results a list in one
    observation, in the order of the calls.
    """

    name = "sharegpt"
    suffix = ".json"
    writes = True
    writes_json = True

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: the whole dialogue."""
        chat = text_chat(dialogue)
        sides = alternation(dialogue, chat)
        if not sides.exchanges:
            return
        parts = [part for exchange in sides.exchanges for part in _parts(exchange)]
        content: dict[str, Any] = {"conversations": parts}
        if sides.system:
            content["system"] = sides.system
        if (tools := tools_text(chat)) is not None:
            content["tools"] = tools
        yield Example.of(dialogue, content, +sides.lost)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One JSON array."""
        write_array(examples, out)


def _parts(exchange: Exchange) -> Iterator[dict[str, str]]:
    speaker = "observation" if exchange.observation else "human"
    answered = "function_call" if exchange.call else "gpt"
    yield {"from": speaker, "value": exchange.question}
    yield {"from": answered, "value": exchange.answer or ""}

"""Alpaca's format: one instruction and its output, after a history of such pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.serializers.openai.alternation import Alternation, alternation
from turnlog.serializers.openai.text_chat import text_chat
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.document import write_array


class AlpacaCodec(Codec):
    """`{"instruction", "input", "output", "system", "history": [[question, answer], …]}`.

    The format has no place for tools: calls and their results are counted as lost.
    """

    name = "alpaca"
    suffix = ".json"
    writes = True
    writes_json = True

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: the last question and its answer, with the earlier pairs as history."""
        sides = alternation(dialogue, text_chat(dialogue))
        pairs = list(_pairs(sides))
        if not pairs:
            return
        *history, (instruction, output) = pairs
        content: dict[str, Any] = {"instruction": instruction, "input": "", "output": output}
        if sides.system:
            content["system"] = sides.system
        content["history"] = history
        yield Example.of(dialogue, content, +sides.lost)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One JSON array."""
        write_array(examples, out)


def _pairs(sides: Alternation) -> Iterator[list[str]]:
    """Each question of the user with the final answer in words."""
    question: str | None = None
    for exchange in sides.exchanges:
        if exchange.observation:
            sides.lost["tool answer"] += 1
        else:
            if question is not None:
                sides.lost["question answered by a tool call alone"] += 1
            question = exchange.question
        if exchange.call:
            sides.lost["tool call"] += 1
        elif question is not None:
            yield [question, exchange.answer or ""]
            question = None
    if question is not None:
        sides.lost["question answered by a tool call alone"] += 1

"""OpenAI's format for direct preference optimisation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from turnlog.domain.judgements import Judgements
from turnlog.serializers.openai.answers import pair
from turnlog.serializers.openai.writer import FORM
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.document import write_lines


class OpenaiDpoCodec(Codec):
    """One preference a line: `{"input": {"messages", "tools", "parallel_tool_calls"},
    "preferred_output": […], "non_preferred_output": […]}`.
    """

    name = "openai-dpo"
    suffix = ".jsonl"
    writes = True

    @property
    def of_judgements(self) -> bool:
        """True: an example is a preference."""
        return True

    def judged(self, judgements: Judgements) -> Iterator[Example]:
        """One example a preference."""
        for preference in judgements.preferences:
            better, worse, chat = pair(preference, FORM)
            content: dict[str, Any] = {
                "input": {"messages": better.prompt, **chat.beside},
                "preferred_output": better.answer,
                "non_preferred_output": worse.answer,
            }
            yield Example(
                preference.prompt.name,
                *preference.bounds,
                content,
                dict(chat.lost),
                evidence=preference.evidence,
            )

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One preference a line."""
        write_lines(examples, out)

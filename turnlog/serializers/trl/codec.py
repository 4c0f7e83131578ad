"""Hugging Face data sets in the form that TRL and chat templates read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.judgements import Judgements
from turnlog.errors import FormatError
from turnlog.serializers.openai.text_chat import text_chat
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.document import write_lines
from turnlog.serializers.trl import rows, standard
from turnlog.serializers.trl.rows import TrlRow


class TrlCodec(Codec):
    """An example a line, of one of TRL's types: `{"messages": […], "tools": […]}` by default.

    Options: `type`, one of TYPES. `standard`: texts instead of messages. `trim`: `language` ends
    with the assistant's last message.
    """

    name = "trl"
    suffix = ".jsonl"
    writes = True
    writes_json = True
    settings = frozenset(("type", "standard", "trim"))

    @property
    def kind(self) -> str:
        """The type in the options. Raises FormatError for an unknown one."""
        wanted = str(self.options.get("type") or "language")
        if wanted not in rows.TYPES:
            why = f"unknown type {wanted!r}; known: {', '.join(rows.TYPES)}"
            raise FormatError(why, field="--type")
        return wanted

    @property
    def of_judgements(self) -> bool:
        """True for the types that are made from preferences and ratings."""
        return self.kind in rows.OF_JUDGEMENTS

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """The rows of the chosen type, one example each."""
        chat = text_chat(dialogue, trim=self.options.get("trim", False))
        lost, noted = chat.lost, chat.noted if self.kind == "language" else {}
        yield from self._examples(rows.OF_DIALOGUES[self.kind](dialogue, chat), lost, noted)

    def judged(self, judgements: Judgements) -> Iterator[Example]:
        """The rows of the chosen type, one example each."""
        yield from self._examples(rows.OF_JUDGEMENTS[self.kind](judgements), Counter(), {})

    def _examples(
        self, found: Iterable[TrlRow], lost: Counter[str], noted: Mapping[str, int]
    ) -> Iterator[Example]:
        """lost and noted belong to the whole dialogue; the first example carries them."""
        for row in found:
            content, beyond = self._content(row)
            lost = lost + row.lost + beyond
            if content is not None:
                yield Example(
                    row.prompt.name, *row.bounds, content, dict(lost), dict(noted), row.evidence
                )
                lost, noted = Counter(), {}

    def _content(self, row: TrlRow) -> tuple[dict[str, Any] | None, Counter[str]]:
        """The content of a row, or None if it has no words; and what was lost."""
        shown = {"evidence": [str(each) for each in row.evidence]} if row.evidence else {}
        if self.options.get("standard"):
            texts, lost = standard.texts(row.columns)
            return texts and {**texts, **shown}, lost
        return {**row.columns, **row.beside, **shown}, Counter()

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One example a line."""
        write_lines(examples, out)

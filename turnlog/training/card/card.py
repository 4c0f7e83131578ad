"""Card: gathers counts while a data set is written, and then writes the files that describe it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.shared.codec import Example
from turnlog.training.card.counts import Counts, Measure, doubling, words
from turnlog.training.card.croissant import ENCODINGS, croissant
from turnlog.training.card.facts import Facts
from turnlog.training.card.llama_factory import dataset_info, is_read
from turnlog.training.card.picture import picture
from turnlog.training.card.readme import readme
from turnlog.training.plan import ExportPlan
from turnlog.training.records.manifest import Totals

README, CROISSANT, PICTURE, LLAMA_FACTORY = (
    "README.md", "croissant.json", "lengths.svg", "dataset_info.json",
)  # fmt: skip


class Card:
    """Of one export. measure: how long a text is, in words unless a tokenizer is passed; unit: what
    that counts.
    """

    def __init__(self, facts: Facts, measure: Measure = words, unit: str = "words") -> None:
        self._facts = facts
        self._measure = measure
        self._unit = unit
        self._counts: dict[str, Counts] = {}

    def files(self, plan: ExportPlan, folder: Path) -> list[Path]:
        """The files it will write. Raises FormatError unless the export is a folder of rows."""
        suffix = plan.codec().suffix
        if plan.split is None:
            why = "needs a folder; --split train=1 makes one with a single part"
            raise FormatError(why, field="--card")
        if suffix not in ENCODINGS:
            raise FormatError(f"the format {plan.format!r} has no rows", field="--card")
        self._counts = {part: Counts() for part in plan.split}
        return [folder / name for name in self._names(plan)]

    def _names(self, plan: ExportPlan) -> list[str]:
        more = [LLAMA_FACTORY] if is_read(plan.format) else []
        return [README, CROISSANT, PICTURE, *more]

    def take(self, part: str, dialogue: Dialogue, examples: Sequence[Example]) -> None:
        """Counts a conversation of a part and the examples written of it."""
        self._counts[part].take(dialogue, examples, self._measure)

    def write(self, opened: Mapping[Path, BinaryIO], plan: ExportPlan, totals: Totals) -> None:
        """Writes the files that `files` named."""
        suffix = plan.codec().suffix
        columns = {part: held.columns for part, held in self._counts.items()}
        loaded = {part: held.full_columns for part, held in self._counts.items()}
        described = croissant(
            self._facts, totals.files, loaded if suffix == ".json" else columns, suffix
        )
        about = readme(self._facts, plan, totals, self._counts, unit=self._unit, picture=PICTURE)
        made = {README: about, CROISSANT: _json(described), PICTURE: self._picture()}
        if is_read(plan.format):
            made[LLAMA_FACTORY] = _json(dataset_info(plan.format, columns))
        for path, file in opened.items():
            if path.name in made:
                file.write(made[path.name].encode())

    def _picture(self) -> str:
        lengths, turns = Counter[int](), Counter[int]()
        for held in self._counts.values():
            lengths += held.lengths
            turns += held.turns
        titles = (f"Conversations by {self._unit}", "Conversations by turns")
        return picture(zip(titles, (doubling(lengths), doubling(turns)), strict=True))


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

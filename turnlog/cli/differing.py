"""Options that decide what may differ between a bot's answer and the recorded one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

if TYPE_CHECKING:
    from turnlog.replay.allowing.rules import Rules

RulesFile = Annotated[
    Path | None, typer.Option("--rules", metavar="FILE", help="Rules for what may differ (TOML).")
]
Ignore = Annotated[
    list[str] | None, typer.Option("--ignore", metavar="KIND", help="A kind that may differ.")
]
IgnoreSlot = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore-slot", metavar="PATTERN", help="Slots that may differ, such as session_*."
    ),
]
Mask = Annotated[
    list[str] | None,
    typer.Option("--mask", metavar="REGEX", help="Matching parts of texts may differ."),
]


class Differing(NamedTuple):
    """The options that allow differences."""

    rules: RulesFile = None
    ignore: Ignore = None
    ignore_slot: IgnoreSlot = None
    mask: Mask = None

    def allowed(self) -> Rules:
        """The rules of the file and of the options together."""
        from turnlog.replay.allowing.rules import combined

        return combined(self.rules, self.ignore or (), self.ignore_slot or (), self.mask or ())

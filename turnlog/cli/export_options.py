"""The options of `turnlog export`, grouped by what they decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from turnlog.cli.listing import Where
from turnlog.cli.options import valued

if TYPE_CHECKING:
    from turnlog.training.card.card import Card
    from turnlog.training.plan import By

Split = Annotated[
    str | None, valued("--split", "PARTS", "A file a part: train=0.8,dev=0.1,test=0.1.")
]
SplitBy = Annotated[str | None, valued("--by", "WHAT", "conversation (the default) or user.")]
AllowLeaks = Annotated[
    bool, typer.Option("--allow-leaks", help="Write even if users are in more than one part.")
]
Include = Annotated[
    str | None,
    valued("--include", "WHAT", "Include what is otherwise left out: rewound,errors,redacted."),
]
AtPosition = Annotated[
    int | None, valued("--at-position", "N", "The log at that position; default: now.")
]
SkipFaulty = Annotated[
    bool, typer.Option("--skip-faulty", help="Name what must not be written, and write the rest.")
]
RasaPrefix = Annotated[
    str | None,
    valued(
        "--prefix", "P", "rasa-dialogue: rasa_core, rasa.core or rasa.shared.core (the default)."
    ),
]
Turns = Annotated[
    int | None, typer.Option("--turns", metavar="N", min=1, help="rasa-*: only the last N turns.")
]
TrlType = Annotated[
    str | None,
    valued(
        "--type",
        "T",
        "trl: language (the default), prompt, completion, preference, unpaired or stepwise.",
    ),
]
Standard = Annotated[
    bool, typer.Option("--standard", help="trl: texts instead of lists of messages.")
]
Trim = Annotated[
    bool,
    typer.Option("--trim", help="openai, trl, parquet: end each with the assistant's last answer."),
]
AsIds = Annotated[
    str | None, valued("--ids", "WHAT", "keep or pseudonyms; default: depends on the format.")
]
Redact = Annotated[
    bool,
    typer.Option("--redact", help="Pseudonyms for people, slots, entities, mails, phones, cards."),
]
Leave = Annotated[str | None, valued("--leave", "NAMES", "Slots and entities that --redact keeps.")]
AsCard = Annotated[
    Path | None,
    valued(
        "--card",
        "FACTS",
        "With --split: a README and more next to the parts; FACTS is a TOML file.",
    ),
]


class ChosenPast(NamedTuple):
    """The part of the log that is written."""

    where: Where = None
    include: Include = None
    at_position: AtPosition = None
    skip_faulty: SkipFaulty = False

    def fields(self, last: int) -> dict[str, Any]:
        """Fields of a plan. last: the position where the log ends."""
        from turnlog.training.plan import included

        return {
            "position": last if self.at_position is None else self.at_position,
            "where": self.where,
            "include": included(self.include),
            "skip_faulty": self.skip_faulty,
        }


class Parting(NamedTuple):
    """The files of an export."""

    split: Split = None
    by: SplitBy = None
    allow_leaks: AllowLeaks = False
    card: AsCard = None

    def check(self) -> None:
        """Raises BadParameter for an unknown value of --by, and for --by without parts."""
        if self.by not in (None, "conversation", "user"):
            raise typer.BadParameter(f"unknown --by {self.by!r}; known: conversation, user")
        if self.by is not None and self.split is None:
            raise typer.BadParameter("--by decides between parts; pass --split too")

    def fields(self) -> dict[str, Any]:
        """Fields of a plan."""
        from turnlog.training.plan import parts

        by: By = "user" if self.by == "user" else "conversation"
        is_split = self.split is not None
        return {
            "split": parts(self.split) if self.split else None,
            "by": by,
            "together": is_split,
            "leak_free": is_split and not self.allow_leaks and self.by != "conversation",
        }

    def read_card(self) -> Card | None:
        """The card with the facts of --card, None without it."""
        if self.card is None:
            return None
        from turnlog.training.card.card import Card
        from turnlog.training.card.facts import read_facts

        return Card(read_facts(self.card))


class FormatSettings(NamedTuple):
    """The options of single formats."""

    prefix: RasaPrefix = None
    turns: Turns = None
    type: TrlType = None
    standard: Standard = False
    trim: Trim = False

    def given(self) -> dict[str, Any]:
        """The options that were passed."""
        return {name: value for name, value in self._asdict().items() if value not in (None, False)}


class Pseudonyms(NamedTuple):
    """The options that replace ids and values."""

    as_ids: AsIds = None
    redact: Redact = False
    leave: Leave = None

    def fields(self, format: str) -> dict[str, Any]:
        """Fields of a plan."""
        if self.leave is not None and not self.redact:
            raise typer.BadParameter("--leave needs --redact")
        names = ((self.leave or "").split(",")) if self.redact else ()
        return {
            "pseudonyms": self._are_ids(format),
            "redact": self.redact,
            "leave": sorted({name for each in names if (name := each.strip())}),
        }

    def _are_ids(self, format: str) -> bool:
        from turnlog.serializers.formats import codec

        if self.as_ids not in (None, "keep", "pseudonyms"):
            raise typer.BadParameter(f"unknown --ids {self.as_ids!r}; known: keep, pseudonyms")
        kind = codec(format)
        otherwise = not (kind.whole or kind.keeps_ids)
        return otherwise if self.as_ids is None else self.as_ids == "pseudonyms"

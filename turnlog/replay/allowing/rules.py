"""Rules: permitted differences between a bot's answer and the recorded one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import msgspec

from turnlog.errors import FormatError
from turnlog.replay.allowing.allowance import MASK, Allowance, PlainEvent, check_mask
from turnlog.replay.allowing.judges import judge

Ignorable = Literal[
    "intent", "entity", "slot", "action", "text", "tool_call", "tool_arguments", "order"
]


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ignore: kinds of differences to ignore. slots: patterns (`session_*`) of slots that may
    differ. masks: regular expressions; whatever they match in the bot's texts counts as equal.
    allow: how single things may differ.
    """

    ignore: tuple[Ignorable, ...] = ()
    slots: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    allow: tuple[Allowance, ...] = ()

    def __post_init__(self) -> None:
        for mask in self.masks:
            check_mask(mask)

    def ignores_slot(self, name: str) -> bool:
        """Whether a pattern matches the slot."""
        return any(fnmatchcase(name, pattern) for pattern in self.slots)

    def masked(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event in plain form, without what the masks match in the bot's text.

        They affect nothing else: a mask of digits does not make `utter_ask_2` and `_3` equal.
        """
        text = event.get("text")
        if event["type"] != "BotUttered" or not isinstance(text, str):
            return event
        for mask in self.masks:
            text = re.sub(mask, MASK, text)
        return {**event, "text": text}

    def allows(self, expected: PlainEvent, actual: PlainEvent, action: str | None) -> bool:
        """Whether two events with the same type and name differ only as they may.

        action: the last one executed before the recorded event.
        """
        return any(
            one.is_about(expected, action) and one.allows(expected, actual) for one in self.allow
        )

    def load_judges(self) -> None:
        """Raise JudgeError for a judge that cannot be loaded, before anything is replayed."""
        for one in self.allow:
            if one.judge is not None:
                judge(one.judge)


def combined(
    rules: Rules | Path | str | None,
    ignore: Iterable[str],
    slots: Iterable[str],
    masks: Iterable[str],
) -> Rules:
    """The given rules, added to those of a file, if there is one. Raises FormatError."""
    base = rules if isinstance(rules, Rules) else load(Path(rules)) if rules else Rules()
    try:
        return msgspec.convert(
            {
                "ignore": [*base.ignore, *ignore],
                "slots": [*base.slots, *slots],
                "masks": [*base.masks, *masks],
                "allow": msgspec.to_builtins(base.allow),
            },
            Rules,
        )
    except msgspec.ValidationError as error:
        raise FormatError(str(error)) from error


def load(path: Path) -> Rules:
    """Rules from a TOML file: `ignore`, `slots` and `masks`, each a list of texts; `[[allow]]`.

    Raises FormatError, naming file and field.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8-sig")), Rules)
    except (OSError, ValueError, FormatError) as error:  # msgspec and TOML raise ValueErrors
        raise FormatError(str(error), file=str(path)) from error

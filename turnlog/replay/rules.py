"""Rules: what may differ between a bot's answer and the recorded one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import msgspec

from turnlog.errors import FormatError

Ignorable = Literal[
    "intent", "entity", "slot", "action", "text", "tool_call", "tool_arguments", "order"
]
MASK = "…"


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ignore: kinds of difference that are none. slots: patterns (`session_*`) of slots that may
    differ. masks: regular expressions; what they match in a text is taken for equal.
    """

    ignore: tuple[Ignorable, ...] = ()
    slots: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for mask in self.masks:
            try:
                re.compile(mask)
            except re.error as error:
                raise FormatError(f"{mask!r} is no regular expression: {error}") from error

    def ignores_slot(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.slots)

    def masked(self, value: Any) -> Any:
        """A plain value with what the masks match in its texts taken out."""
        if not self.masks:
            return value
        if isinstance(value, str):
            for mask in self.masks:
                value = re.sub(mask, MASK, value)
            return value
        if isinstance(value, list):
            return [self.masked(item) for item in value]
        if isinstance(value, dict):
            return {key: self.masked(item) for key, item in value.items()}
        return value


def combined(
    file: Path | None, ignore: Iterable[str], slots: Iterable[str], masks: Iterable[str]
) -> Rules:
    """The rules of a file, if there is one, and these."""
    rules = load(file) if file is not None else Rules()
    try:
        return msgspec.convert(
            {
                "ignore": [*rules.ignore, *ignore],
                "slots": [*rules.slots, *slots],
                "masks": [*rules.masks, *masks],
            },
            Rules,
        )
    except msgspec.ValidationError as error:
        raise FormatError(str(error)) from error


def load(path: Path) -> Rules:
    """Rules from a TOML file: `ignore`, `slots` and `masks`, each a list of texts.

    Raises FormatError, naming file and field.
    """
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8-sig")), Rules)
    except (OSError, ValueError, FormatError) as error:  # msgspec and TOML raise ValueErrors
        raise FormatError(str(error), file=str(path)) from error

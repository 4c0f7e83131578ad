"""An `[[allow]]` of the rules: how one thing may differ.

Names never may: action, tool, argument, slot, key, payload.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Literal

import msgspec

from turnlog.domain.values import same
from turnlog.errors import FormatError
from turnlog.replay.allowing.judges import judge
from turnlog.replay.allowing.numbers import is_number, near, near_texts, tolerance

PlainEvent = Mapping[str, Any]
MASK = "…"
_SAYS = {"BotUttered": "text", "SlotSet": "value", "ToolCalled": "arguments"}
"""The field that may differ, by the type of the event."""


class Allowance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """slot, tool (and its argument), action: patterns of names, `utter_*`; without any of them it
    applies to all texts of the bot.

    text: how texts may differ, or texts that may replace each other. number: a tolerance. buttons:
    the part of them that counts. mask: whatever it matches counts as equal. judge: a function that
    decides.
    """

    slot: str | None = None
    tool: str | None = None
    argument: str | None = None
    action: str | None = None
    text: str | tuple[str, ...] | None = None
    number: int | float | str | None = None
    buttons: Literal["payloads"] | None = None
    mask: str | None = None
    judge: str | None = None

    def __post_init__(self) -> None:
        if (wrong := self._wrong()) is not None:
            raise FormatError(f"[[allow]] {self}: {wrong}")
        check_mask(self.mask or "")
        if self.number is not None:
            tolerance(self.number)

    def _wrong(self) -> str | None:
        if len([name for name in (self.slot, self.tool, self.action) if name is not None]) > 1:
            return "takes only one of slot, tool and action"
        if self.argument is not None and self.tool is None:
            return "argument goes with tool"
        if self.buttons and (self.slot is not None or self.tool is not None):
            return "buttons belong to messages, not to a slot or a tool"
        if isinstance(self.text, str) and self.text not in ("fold", "contains"):
            return "text is 'fold', 'contains' or a list of texts that may replace each other"
        compares = [self.text not in (None, "fold"), self.number is not None, bool(self.judge)]
        if sum(compares) > 1:
            return "takes only one of number, judge and text = 'contains' or a list"
        if not any((self.text, self.number is not None, self.buttons, self.mask, self.judge)):
            return "names nothing that may differ: text, number, buttons, mask or judge"
        return None

    def __str__(self) -> str:
        """As in the file, on one line."""
        given = msgspec.to_builtins(self)
        return ", ".join(f"{name} = {value!r}" for name, value in given.items())

    def is_about(self, event: PlainEvent, action: str | None) -> bool:
        """action: the last one executed before the event."""
        match event["type"]:
            case "SlotSet":
                return self.slot is not None and fnmatchcase(event["name"], self.slot)
            case "ToolCalled":
                return self.tool is not None and fnmatchcase(event["name"], self.tool)
            case "BotUttered" if self.slot is None and self.tool is None:
                return self.action is None or fnmatchcase(action or "", self.action)
        return False

    def allows(self, expected: PlainEvent, actual: PlainEvent) -> bool:
        """Whether two matching events differ only as they may."""
        field = _SAYS[expected["type"]]
        if not same(self._rest(expected, field), self._rest(actual, field)):
            return False
        one, other = expected.get(field), actual.get(field)
        if self.argument is not None:
            return self._arguments(one or {}, other or {}, self.argument)
        return self._alike(one, other)

    def _rest(self, event: PlainEvent, field: str) -> dict[str, Any]:
        rest = {key: value for key, value in event.items() if key != field}
        return _without_titles(rest) if self.buttons else rest

    def _arguments(self, expected: dict[str, Any], actual: dict[str, Any], pattern: str) -> bool:
        return expected.keys() == actual.keys() and all(
            (fnmatchcase(name, pattern) and self._alike(value, actual[name]))
            or same(value, actual[name])
            for name, value in expected.items()
        )

    def _alike(self, expected: Any, actual: Any) -> bool:
        if same(expected, actual):
            return True
        if self.judge is not None and type(expected) is type(actual):
            return judge(self.judge)(expected, actual)
        if isinstance(expected, str) and isinstance(actual, str):
            return self._texts(expected, actual)
        if is_number(expected) and is_number(actual):
            return self.number is not None and near(expected, actual, tolerance(self.number))
        if isinstance(expected, list) and isinstance(actual, list):
            pairs = zip(expected, actual, strict=False)
            return len(expected) == len(actual) and all(self._alike(*pair) for pair in pairs)
        if isinstance(expected, dict) and isinstance(actual, dict):
            same_keys = expected.keys() == actual.keys()
            return same_keys and all(self._alike(v, actual[k]) for k, v in expected.items())
        return False

    def _texts(self, expected: str, actual: str) -> bool:
        one, other = self._reduced(expected), self._reduced(actual)
        if self.number is not None and self.slot is None and self.tool is None:
            return near_texts(one, other, tolerance(self.number))
        if self.text == "contains":
            return one in other
        if isinstance(self.text, tuple):
            listed = {self._reduced(text) for text in self.text}
            return one in listed and other in listed
        return one == other

    def _reduced(self, text: str) -> str:
        if self.mask is not None:
            text = re.sub(self.mask, MASK, text)
        return folded(text) if self.text == "fold" else text


def folded(text: str) -> str:
    """Without differences of case, width and spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def check_mask(mask: str) -> None:
    """Raises FormatError for an invalid regular expression."""
    try:
        re.compile(mask)
    except re.error as error:
        raise FormatError(f"{mask!r} is not a regular expression: {error}") from error


def _without_titles(value: Any) -> Any:
    """A button with a payload consists of that alone."""
    if isinstance(value, list):
        return [_without_titles(part) for part in value]
    if isinstance(value, dict):
        if "payload" in value:
            return {"payload": value["payload"]}
        return {key: _without_titles(part) for key, part in value.items()}
    return value

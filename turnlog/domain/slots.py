"""Typed slots: what a declaration says, and how it converts a value."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SlotType = Literal["any", "text", "bool", "float", "list", "categorical"]


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """A declared slot. values: those that a categorical slot can have; lowest and highest: a float
    slot's range.
    """

    name: str
    type: SlotType = "any"
    initial: Any = None
    values: tuple[Any, ...] | None = None
    lowest: float | None = None
    highest: float | None = None
    influence: bool = True
    extra: dict[str, Any] | None = None

    def coerce(self, value: Any) -> Any:
        """The value as this slot stores it: a list slot wraps a scalar, a tuple becomes a list.

        As in Rasa, an empty value, 0 and False are not wrapped.
        """
        if self.type == "list" and value and not isinstance(value, list | tuple):
            return [value]
        return list(value) if isinstance(value, tuple) else value

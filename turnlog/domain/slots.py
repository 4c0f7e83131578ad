"""Typed slots: what a declaration says, and what a value becomes under it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SlotType = Literal["any", "text", "bool", "float", "list", "categorical"]


class Slot(msgspec.Struct, frozen=True, array_like=True):
    """values: what a categorical slot can be; lowest and highest: a float slot's range."""

    name: str
    type: SlotType = "any"
    initial: Any = None
    values: tuple[Any, ...] | None = None
    lowest: float | None = None
    highest: float | None = None
    influence: bool = True
    extra: dict[str, Any] | None = None

    def coerce(self, value: Any) -> Any:
        """The value as this slot keeps it: a list slot wraps a scalar, a tuple becomes a list.

        As in Rasa, nothing is wrapped that is empty, 0 or False.
        """
        if self.type == "list" and value and not isinstance(value, list | tuple):
            return [value]
        return list(value) if isinstance(value, tuple) else value

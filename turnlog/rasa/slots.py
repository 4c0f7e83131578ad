"""Slots under the names that Rasa gives their types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnlog.domain.slots import Slot, SlotType


def _slot(kind: SlotType, name: str, initial_value: Any, influence: bool, **more: Any) -> Slot:
    return Slot(name, kind, initial_value, influence=influence, **more)


def TextSlot(
    name: str, initial_value: str | None = None, *, influence_conversation: bool = True
) -> Slot:
    return _slot("text", name, initial_value, influence_conversation)


def BooleanSlot(
    name: str, initial_value: bool | None = None, *, influence_conversation: bool = True
) -> Slot:
    return _slot("bool", name, initial_value, influence_conversation)


def ListSlot(name: str, initial_value: Any = None, *, influence_conversation: bool = True) -> Slot:
    """A scalar that is set is kept as a list of it."""
    return _slot("list", name, initial_value, influence_conversation)


def AnySlot(name: str, initial_value: Any = None) -> Slot:
    return _slot("any", name, initial_value, influence=False)


def FloatSlot(
    name: str,
    initial_value: float | None = None,
    *,
    min_value: float = 0.0,
    max_value: float = 1.0,
    influence_conversation: bool = True,
) -> Slot:
    """The range is for whoever reads the slot; values beyond it are kept."""
    return _slot(
        "float", name, initial_value, influence_conversation, lowest=min_value, highest=max_value
    )


def CategoricalSlot(
    name: str,
    values: Sequence[Any] = (),
    initial_value: Any = None,
    *,
    influence_conversation: bool = True,
) -> Slot:
    """The values are lower-cased, as in Rasa; any other can be set."""
    lowered = tuple(str(value).lower() for value in values)
    return _slot("categorical", name, initial_value, influence_conversation, values=lowered)

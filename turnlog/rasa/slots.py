"""Slots under Rasa's names for their types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from turnlog.domain.slots import Slot, SlotType


def _slot(kind: SlotType, name: str, initial_value: Any, influence: bool, **more: Any) -> Slot:
    return Slot(name, kind, initial_value, influence=influence, **more)


def TextSlot(
    name: str, initial_value: str | None = None, *, influence_conversation: bool = True
) -> Slot:
    """A slot with a text."""
    return _slot("text", name, initial_value, influence_conversation)


def BooleanSlot(
    name: str, initial_value: bool | None = None, *, influence_conversation: bool = True
) -> Slot:
    """A slot with true or false."""
    return _slot("bool", name, initial_value, influence_conversation)


def ListSlot(name: str, initial_value: Any = None, *, influence_conversation: bool = True) -> Slot:
    """A slot with a list. A scalar value is stored as a list of it."""
    return _slot("list", name, initial_value, influence_conversation)


def AnySlot(name: str, initial_value: Any = None) -> Slot:
    """A slot with any JSON value, which does not influence the conversation."""
    return _slot("any", name, initial_value, influence=False)


def FloatSlot(
    name: str,
    initial_value: float | None = None,
    *,
    min_value: float = 0.0,
    max_value: float = 1.0,
    influence_conversation: bool = True,
) -> Slot:
    """A slot with a number. The range is information for readers; values outside it are kept."""
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
    """A slot with one of several values, which are lower-cased as in Rasa. Other values can
    be set.
    """
    lowered = tuple(str(value).lower() for value in values)
    return _slot("categorical", name, initial_value, influence_conversation, values=lowered)

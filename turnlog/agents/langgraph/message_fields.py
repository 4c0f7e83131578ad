"""A message as its fields, and back without a second validation."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from pydantic import BaseModel

KINDS: dict[str, type[BaseMessage]] = {
    "human": HumanMessage,
    "ai": AIMessage,
    "system": SystemMessage,
    "tool": ToolMessage,
}
_NAMES = {kind: name for name, kind in KINDS.items()}

CONTAINERS: dict[str, type] = {
    "additional_kwargs": dict,
    "response_metadata": dict,
    "tool_calls": list,
    "invalid_tool_calls": list,
}
"""Fields whose default is an empty container; the last two exist in an AIMessage alone."""


DEFAULTS: dict[type[BaseMessage], dict[str, Any]] = {
    kind: {
        name: field.get_default(call_default_factory=True)
        for name, field in kind.model_fields.items()
    }
    for kind in KINDS.values()
}
"""The default values of a type's fields; each message gets its own containers."""

FIELD_NAMES = {kind: set(held) for kind, held in DEFAULTS.items()}
"""Shared by all messages of a type, because all fields are set."""

new = object.__new__
set_dict, set_fields_set, set_extra, set_private = (
    BaseModel.__dict__[f"__{name}__"].__set__
    for name in ("dict", "pydantic_fields_set", "pydantic_extra", "pydantic_private")
)


def kind_of(value: object) -> str | None:
    """The name of a message's type; None for any other type, subclasses included."""
    name = _NAMES.get(type(value))  # type: ignore[arg-type]
    return None if name is None or getattr(value, "__pydantic_extra__", None) else name


def fields_of(message: BaseMessage) -> dict[str, Any]:
    """The fields that differ from their default."""
    defaults = DEFAULTS[type(message)]
    return {name: held for name, held in message.__dict__.items() if held != defaults[name]}


def message_of(kind: str, fields: dict[str, Any]) -> BaseMessage:
    """The message with a type's name and fields, which must be valid; it keeps the objects in
    `fields`.
    """
    its = KINDS[kind]
    held = DEFAULTS[its].copy()
    held["additional_kwargs"] = {}
    held["response_metadata"] = {}
    if its is AIMessage:
        held["tool_calls"] = []
        held["invalid_tool_calls"] = []
    held.update(fields)
    made = new(its)
    set_dict(made, held)
    set_fields_set(made, FIELD_NAMES[its])
    set_extra(made, {})
    set_private(made, None)
    return made

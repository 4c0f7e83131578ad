"""Messages as they were read, from which each caller gets copies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

import msgspec
from langchain_core.messages import AIMessage, BaseMessage

from turnlog.agents.langgraph.message_fields import (
    CONTAINERS,
    DEFAULTS,
    FIELD_NAMES,
    kind_of,
    new,
    set_dict,
    set_extra,
    set_fields_set,
    set_private,
)
from turnlog.domain.values import same

_SHARED = frozenset((str, type(None)))
"""Types of field values that copies can share."""

Items = tuple[tuple[str, Any], ...]
"""Names of fields and their values."""

Shape = tuple[type[BaseMessage] | None, Any, Any, bool]
"""What the messages of a type share: the type, its defaults, the names of its fields, and whether
it has calls. For a message of any other type: None, and the message.
"""

SHAPES: dict[type[BaseMessage], Shape] = {
    kind: (kind, defaults, FIELD_NAMES[kind], kind is AIMessage)
    for kind, defaults in DEFAULTS.items()
}


class Pattern(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A message as it was read, never changed.

    others: the fields that are not at their default, other than the id and a content that is a
    text.
    """

    shape: Shape
    content: Any
    id: str | None
    others: Items = ()

    @classmethod
    def of(cls, message: BaseMessage) -> Pattern:
        """The pattern of a message."""
        if kind_of(message) is None:
            return cls((None, message, None, False), message.content, message.id)
        shape = SHAPES[type(message)]
        fields = message.__dict__.items()
        others = tuple((name, held) for name, held in fields if _is_other(name, held, shape[1]))
        return cls(shape, message.content, message.id, others)

    @property
    def deep(self) -> Items:
        """The other fields that must be compared by type, too."""
        return tuple(each for each in self.others if each[1].__class__ not in _SHARED)

    @property
    def type(self) -> type[BaseMessage]:
        """The message's class."""
        return self.shape[0] or type(self.shape[1])

    @property
    def fields(self) -> dict[str, Any]:
        """All fields, for reading only."""
        kind, held, _, _ = self.shape
        if kind is None:
            its: dict[str, Any] = held.__dict__
            return its
        return {**held, "content": self.content, "id": self.id, **dict(self.others)}

    @property
    def extra(self) -> dict[str, Any]:
        """The message's extra fields; empty for a known type."""
        return self.shape[1].__pydantic_extra__ or {} if self.shape[0] is None else {}

    def says(self, other: BaseMessage) -> bool:
        """Whether another message is equal, by type and by value: 1 does not equal 1.0."""
        if other.__class__ is not self.type or other.__dict__ != self.fields:
            return False
        if (other.__pydantic_extra__ or {}) != self.extra:
            return False
        return all(same(held, other.__dict__[name]) for name, held in self.deep)

    def copy(self) -> BaseMessage:
        """The message as a copy, which the caller may change."""
        [made] = copies([self.shape], [self.content], [self.id], [self.others])
        return made


def _is_other(name: str, held: Any, defaults: Mapping[str, Any]) -> bool:
    if name == "id":
        return False
    if name == "content":
        return held.__class__ is not str
    if name in CONTAINERS:
        return bool(held) or held.__class__ is not CONTAINERS[name]
    default = defaults.get(name)
    return held.__class__ is not default.__class__ or bool(held != default)


def copies(
    shapes: Iterable[Shape], contents: Iterable[Any], ids: Iterable[Any], others: Iterable[Items]
) -> list[BaseMessage]:
    """Copies of messages, made in one loop over columns, because a thread is read whole at every
    turn.
    """
    made: list[BaseMessage] = []
    for (kind, defaults, names, has_calls), content, id, other in zip(
        shapes, contents, ids, others, strict=True
    ):
        if kind is None:
            made.append(defaults.model_copy(deep=True))
            continue
        fields = defaults.copy()
        fields["content"] = content
        fields["id"] = id
        fields["additional_kwargs"] = {}
        fields["response_metadata"] = {}
        if has_calls:
            fields["tool_calls"] = []
            fields["invalid_tool_calls"] = []
        if other:
            for name, held in other:
                fields[name] = _copied(held)
        message = new(kind)
        set_dict(message, fields)
        set_fields_set(message, names)
        set_extra(message, {})
        set_private(message, None)
        made.append(message)
    return made


_ATOMS = frozenset((str, int, float, bool, type(None), bytes))


def _copied(value: Any) -> Any:
    kind = value.__class__
    if kind is dict:
        return {key: _copied(item) for key, item in value.items()} if value else {}
    if kind is list:
        return [_copied(item) for item in value]
    return value if kind in _ATOMS else deepcopy(value)

"""The members of a foreign object and the fields of one of our structs: one table, both ways.

What a field cannot hold, and what has no field, goes to `extra` under the foreign name and comes
out from there again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Table = Mapping[str, tuple[str, Any]]
"""Foreign name: the field's name, and the types it can hold (for isinstance)."""


def take(value: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """Arguments for the struct: the fields, and the rest as `extra`."""
    fields: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, held in value.items():
        field, kind = table.get(name, ("", ()))
        if field and isinstance(held, kind) and not (kind is int and held is True):
            fields[field] = held
        else:
            extra[name] = held
    return {**fields, "extra": extra} if extra else fields


def give(struct: Any, table: Table) -> dict[str, Any]:
    """The foreign object that `take` took apart."""
    members = {name: getattr(struct, field) for name, (field, _) in table.items()}
    present = {name: held for name, held in members.items() if held is not None}
    return {**present, **(struct.extra or {})}

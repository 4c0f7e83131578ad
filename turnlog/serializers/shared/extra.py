"""Values that a struct's fields cannot hold, stored in its `extra` under their original names.

`take` and `give` are for foreign objects: members without a field go to `extra` and return from
there. `kept` is for our own: the field contains a value fit to show, and `extra` the original,
which is written back in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from turnlog.domain.plain import displayable, is_raw, struct_in

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


def kept(fields: Mapping[str, Any], cls: type[msgspec.Struct]) -> dict[str, Any]:
    """The same fields with values that each can hold; `extra` contains the originals."""
    hints = get_type_hints(cls)
    fitting, stray = dict(fields), dict[str, Any]()
    for name, value in fields.items():
        if not is_raw(value):
            continue
        struct = struct_in(hints.get(name))
        if struct is not None and "extra" in struct.__struct_fields__:
            fitting[name] = _kept_within(value, struct)
        elif name in hints and not _holds(hints[name], value):
            fitting[name], stray[name] = displayable(value), value
    if stray:
        fitting["extra"] = {**(fitting.get("extra") or {}), **stray}
    return fitting


def _kept_within(value: Any, struct: type[msgspec.Struct]) -> Any:
    if isinstance(value, list):
        return [_kept_within(item, struct) for item in value]
    return kept(value, struct) if isinstance(value, dict) else value


def _holds(annotation: Any, value: Any) -> bool:
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        return False
    return True

"""Fields that cannot hold what came for them: something to show stands in the field, what came in
`extra` under the field's name; on the way out it takes the field's place again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec

from turnlog.domain.plain import displayable, is_raw, struct_in


def kept(fields: Mapping[str, Any], cls: type[msgspec.Struct]) -> dict[str, Any]:
    """A struct's fields such that each can hold its value; what came instead is in `extra`."""
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

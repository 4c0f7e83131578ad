"""Takes texts and paths of the command line unchanged, so that commands start fast.

typer passes every value to a validation library that takes longer to load than most commands to
run; only numbers and other types still go there.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

_AS_GIVEN: dict[Any, Callable[[Any], Any]] = {
    str: str,
    Path: Path,
    list[str]: list,
    list[Path]: lambda values: [*map(Path, values)],
}
"""Converts a value to the type of its parameter."""


def coercing_fast(parameters: list[Any]) -> list[Any]:
    """typer's parameters, with a fast path for texts, paths and missing values."""
    for parameter in parameters:
        own = getattr(parameter, "get_runtime_param", None)
        if own is not None and not isinstance(own, _Coercion):
            parameter.get_runtime_param = _Coercion(own)
    return parameters


class _Coercion:
    """Replaces typer's conversion for one parameter, and falls back to it."""

    def __init__(self, own: Callable[[], Any]) -> None:
        self._own = own

    def __call__(self) -> _Coercion:
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        several = param.multiple or param.nargs == -1
        kind = param.type_descriptor.annotation
        if value is None:
            return () if several else None
        if kind in (int, float) and type(value) is kind:  # a default
            return value
        if kind in _AS_GIVEN and several != isinstance(value, str):
            return _AS_GIVEN[kind](value)
        return self._own().coerce(value, param=param, ctx=ctx)

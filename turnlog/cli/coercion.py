"""Texts and paths of the command line taken as they are, so that commands start fast.

typer has a validation library look at every value, and loading that takes longer than most
commands do; numbers and whatever else still go there.
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
"""What makes a value of the type of what was given."""


def coercing_fast(parameters: list[Any]) -> list[Any]:
    """typer's parameters, that take texts, paths and what is not given as they are."""
    for parameter in parameters:
        own = getattr(parameter, "get_runtime_param", None)
        if own is not None and not isinstance(own, _Coercion):
            parameter.get_runtime_param = _Coercion(own)
    return parameters


class _Coercion:
    """In the place of typer's own for one parameter, which it falls back to."""

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

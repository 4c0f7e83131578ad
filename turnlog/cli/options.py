"""Groups of options: fields of a NamedTuple, which is one parameter of a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import typer

Parameter = inspect.Parameter


def valued(flag: str, metavar: str, help: str) -> Any:
    """An option with a value."""
    return typer.Option(flag, metavar=metavar, help=help)


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command with each option as a separate parameter, in the same order."""
    signature = inspect.signature(command, eval_str=True)
    parameters = signature.parameters.values()
    groups = {each.name: each.annotation for each in parameters if _is_group(each.annotation)}

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        for name, group in groups.items():
            arguments[name] = group(**{field: arguments.pop(field) for field in group._fields})
        command(**arguments)

    single = [option for each in parameters for option in _options(each)]
    run.__signature__ = signature.replace(parameters=single)  # type: ignore[attr-defined]  # what typer looks at
    return run if groups else command


def _is_group(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, tuple)


def _options(parameter: Parameter) -> Iterator[Parameter]:
    group = parameter.annotation
    if not _is_group(group):
        yield parameter.replace(kind=Parameter.KEYWORD_ONLY)
        return
    for name, annotation in get_type_hints(group, include_extras=True).items():
        default = group._field_defaults.get(name, Parameter.empty)
        yield Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)

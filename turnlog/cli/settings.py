"""The options every command has: which database, and whether to print JSON."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Annotated, Any, NamedTuple

import typer

DEFAULT_DB = "sqlite:///turnlog.db"

Db = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        help=f"The database; else what TURNLOG_DB says, else {DEFAULT_DB}.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]

Id = Annotated[str, typer.Argument(metavar="ID", help="The conversation.")]
Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="The conversations; all if none is named."),
]
Deleted = Annotated[bool, typer.Option("--deleted", help="Also where it is deleted.")]
Life = Annotated[
    int | None,
    typer.Option("--life", metavar="N", help="An earlier one, from before a deletion."),
]
"""Arguments and options that many commands have."""


class CommonOptions(NamedTuple):
    """aside: whether stdout is left to a file that the command writes. named: whether the
    database was, with --db.
    """

    db: str = DEFAULT_DB
    json: bool = False
    aside: bool = False
    named: bool = False


_current: ContextVar[CommonOptions] = ContextVar("settings")


def settings() -> CommonOptions:
    return _current.get()


def configure(*, db: str | None, json: bool) -> None:
    """Take over what was said before the command."""
    url = db or os.environ.get("TURNLOG_DB") or DEFAULT_DB
    _current.set(CommonOptions(url, json, named=db is not None))


def leave_stdout() -> None:
    """Have everything else printed to stderr."""
    _current.set(settings()._replace(aside=True))


def with_common_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command, that also takes the options every command has."""

    @functools.wraps(command)
    def run(db: str | None = None, json: bool = False, **arguments: Any) -> None:
        before = settings()
        named = before.named or db is not None
        _current.set(CommonOptions(db or before.db, json or before.json, named=named))
        command(**arguments)

    signature = inspect.signature(command, eval_str=True)
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, kind, default in (("db", Db, None), ("json", Json, False))
    ]
    parameters = [*signature.parameters.values(), *common]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # what typer looks at
    return run


def open_log(*, create: bool = False, readonly: bool = False) -> Any:
    """The log of the database asked for; a context manager.

    Raises NoSuchLog where there is none, unless the command may create it. readonly: for commands
    that only read, which change nothing.
    """
    from turnlog.engine.log import Turnlog

    return Turnlog(open_store(create=create, readonly=readonly))


def open_store(*, create: bool = False, readonly: bool = False) -> Any:
    """What that log is kept in."""
    from turnlog.errors import StorageError
    from turnlog.storage.urls import recorder

    if settings().db == "memory:":
        raise StorageError("'memory:' ends with the command; name a database that stays")
    return recorder(settings().db, create=create, readonly=readonly)


def or_no_log() -> AbstractContextManager[None]:
    """For commands that make a log: where they fail and nothing is in it, none is left."""
    from turnlog.storage.unused import removed_unused
    from turnlog.storage.urls import sqlite_path

    return removed_unused(sqlite_path(settings().db))

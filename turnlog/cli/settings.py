"""The options that every command has: the database, the key store and JSON output."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Mapping
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
        help=f"The database; default: TURNLOG_DB, then {DEFAULT_DB}.",
        show_default=False,
    ),
]
Keys = Annotated[
    str | None,
    typer.Option(
        "--keys",
        metavar="URL",
        help="The key store of a sealed log; default: TURNLOG_KEYS.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]

Id = Annotated[str, typer.Argument(metavar="ID", help="The conversation.")]
Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="The conversations; default: all."),
]
Deleted = Annotated[bool, typer.Option("--deleted", help="Also if it is deleted.")]
Life = Annotated[
    int | None,
    typer.Option("--life", metavar="N", help="An earlier life, before a deletion."),
]
"""Arguments and options that many commands have."""


class CommonOptions(NamedTuple):
    """aside: whether stdout is reserved for a file that the command writes. named: whether --db was
    passed. command: the one that runs. ids: the conversations that it names.
    """

    db: str = DEFAULT_DB
    json: bool = False
    aside: bool = False
    named: bool = False
    command: str = ""
    ids: tuple[str, ...] = ()
    keys: str | None = None


_current: ContextVar[CommonOptions] = ContextVar("settings")


def settings() -> CommonOptions:
    """The options of the command that runs."""
    return _current.get()


def configure(*, db: str | None, keys: str | None, json: bool) -> None:
    """Sets the options that come before the command."""
    url = db or os.environ.get("TURNLOG_DB") or DEFAULT_DB
    keys = keys or os.environ.get("TURNLOG_KEYS") or None
    _current.set(CommonOptions(url, json, named=db is not None, keys=keys))


def leave_stdout() -> None:
    """Sends all other output to stderr."""
    _current.set(settings()._replace(aside=True))


_COMMON = (("db", Db, None), ("keys", Keys, None), ("json", Json, False))


def with_common_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command, which then also accepts the common options."""

    @functools.wraps(command)
    def run(
        db: str | None = None, keys: str | None = None, json: bool = False, **arguments: Any
    ) -> None:
        before = settings()
        options = CommonOptions(
            db or before.db,
            json or before.json,
            named=before.named or db is not None,
            command=command.__name__.rstrip("_"),
            ids=_named_in(arguments),
            keys=keys or before.keys,
        )
        _current.set(options)
        command(**arguments)

    signature = inspect.signature(command, eval_str=True)
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, kind, default in _COMMON
    ]
    parameters = [*signature.parameters.values(), *common]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # what typer looks at
    return run


def _named_in(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The conversations that a command's arguments name."""
    named = [arguments.get("id"), arguments.get("other"), *(arguments.get("ids") or ())]
    return tuple(id for id in named if isinstance(id, str))


def actor() -> str:
    """The user of the command: TURNLOG_ACTOR, else the user name."""
    import getpass

    try:
        return os.environ.get("TURNLOG_ACTOR") or getpass.getuser()
    except (OSError, KeyError):  # the user may have no name
        return "unnamed"


def open_log(*, create: bool = False, readonly: bool = False, shows: bool = True) -> Any:
    """The log of the requested database; a context manager.

    Raises NoSuchLog if it does not exist and the command may not create it. readonly: for commands
    that only read; they write only the record of readers. shows: whether the command shows
    contents.
    """
    from turnlog.engine.log import Turnlog

    log = Turnlog(open_store(create=create, readonly=readonly))
    return _as_reader(log) if readonly and shows else log


def _as_reader(log: Any) -> Any:
    """The log, after its reader is recorded, if it keeps such records."""
    from turnlog.engine.access import AccessWatch, access_request
    from turnlog.engine.log import Turnlog
    from turnlog.errors import StorageError

    if not AccessWatch(log).on:
        return log
    log.close()
    way, reason = f"turnlog {settings().command}", os.environ.get("TURNLOG_REASON")
    try:
        log = Turnlog(open_store())
        log.writer.perform(access_request(log, way, settings().ids, actor=actor(), reason=reason))
    except StorageError as error:
        why = f"this log records its readers, so reading needs write access: {error}"
        raise StorageError(why) from error
    return log


def open_store(*, create: bool = False, readonly: bool = False) -> Any:
    """The store of that log."""
    from turnlog.keys.opening import recorder

    return recorder(_database(), keys=settings().keys, create=create, readonly=readonly)


def open_sealed(*, create: bool = False, readonly: bool = False) -> Any:
    """The store with its stored bytes: a sealed log can be copied and compared without keys."""
    from turnlog.storage.urls import recorder

    return recorder(_database(), create=create, readonly=readonly)


def _database() -> str:
    from turnlog.errors import StorageError

    if settings().db == "memory:":
        raise StorageError("'memory:' ends with the command; name a persistent database")
    return settings().db


def or_no_log() -> AbstractContextManager[None]:
    """For commands that create a log: if they fail and it is empty, it is removed."""
    from turnlog.storage.unused import removed_unused
    from turnlog.storage.urls import sqlite_path

    return removed_unused(sqlite_path(settings().db))

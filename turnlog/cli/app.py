"""The commands, and what they share: options, errors, exit status.

A command is a function in a module of this folder and a line in COMMANDS; it is imported when it is
run. It accepts `--db` and `--json` without declaring them: see `settings` and `output`.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from turnlog.cli.coercion import coercing_fast
from turnlog.cli.options import with_groups
from turnlog.cli.settings import Db, Json, Keys, configure, with_common_options
from turnlog.errors import TurnlogError

COMMANDS: dict[str, str] = {
    "import": "turnlog.cli.importing:import_",
    "list": "turnlog.cli.listing:list_",
    "log": "turnlog.cli.log:log",
    "show": "turnlog.cli.show:show",
    "states": "turnlog.cli.states:states",
    "diff": "turnlog.cli.diff:diff",
    "append": "turnlog.cli.append:append",
    "checkout": "turnlog.cli.checkout:checkout",
    "fork": "turnlog.cli.fork:fork",
    "export": "turnlog.cli.export:export",
    "datasets": "turnlog.cli.datasets:datasets",
    "delete": "turnlog.cli.upkeep:delete",
    "erase": "turnlog.cli.erase:erase",
    "hold": "turnlog.cli.holding:hold",
    "release": "turnlog.cli.holding:release",
    "backup": "turnlog.cli.backup:backup",
    "restore": "turnlog.cli.backup:restore",
    "rebuild": "turnlog.cli.upkeep:rebuild",
    "stats": "turnlog.cli.upkeep:stats",
    "why": "turnlog.cli.why:why",
    "verify": "turnlog.cli.verify:verify",
    "keygen": "turnlog.cli.keygen:keygen",
    "head": "turnlog.cli.head:head",
    "prove": "turnlog.cli.prove:prove",
    "check-proof": "turnlog.cli.prove:check_proof",
    "witness": "turnlog.cli.witness:witness",
    "audit": "turnlog.cli.audit:audit",
    "access": "turnlog.cli.access:access",
    "subject": "turnlog.cli.subject:subject",
    "restrict": "turnlog.cli.holding:restrict",
    "retain": "turnlog.cli.retain:retain",
    "comply": "turnlog.cli.comply:comply",
    "replay": "turnlog.cli.replay:replay",
    "minimise": "turnlog.cli.minimise:minimise",
    "bundle": "turnlog.cli.bundle:bundle",
    "compare": "turnlog.cli.compare:compare",
    "accept": "turnlog.cli.accept:accept",
    "serve": "turnlog.cli.serve:serve",
    "keys": "turnlog.cli.keys:keys",
    "demo": "turnlog.cli.demo:demo",
}
"""Name of a command: module and function, in the order of the help."""

UNEXPECTED = 70
HELP = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """The group of all commands, each imported when it is run."""

    def get_params(self, ctx: Any) -> Any:
        """See `coercion`."""
        return coercing_fast(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now; None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _command(cmd_name)
        return self.commands[cmd_name]

    def invoke(self, ctx: Any) -> Any:
        """Runs a command. If stdout is closed, the rest of the output is dropped silently."""
        try:
            _print_anything()
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            _discard_output()
            return None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the program. An error is one line on stderr."""
        with _one_line_errors():
            return super().main(*args, **kwargs)


class Command(TyperCommand):
    """One command."""

    def get_params(self, ctx: Any) -> Any:
        """See `coercion`."""
        return coercing_fast(super().get_params(ctx))


def _command(name: str) -> Any:
    module, _, attribute = COMMANDS[name].partition(":")
    found = import_module(module)
    function, epilog = getattr(found, attribute), getattr(found, "EPILOG", None)
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name, cls=Command, context_settings=HELP, epilog=epilog)(
        with_common_options(with_groups(function))
    )
    return typer.main.get_command(single)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """An error is one line on stderr and an exit status."""
    try:
        yield
    except TurnlogError as error:
        _fail(str(error), error, 2)
    except Exception as error:
        where = "" if _wants_traceback() else " (TURNLOG_TRACEBACK=1 shows where)"
        _fail(f"unexpected {type(error).__name__}: {error}{where}", error, UNEXPECTED)


def _fail(why: str, error: Exception, status: int) -> None:
    from turnlog.cli.output import visible

    if _wants_traceback():
        import traceback

        traceback.print_exception(error)
    print(f"turnlog: {visible(why)}", file=sys.stderr)
    sys.exit(status)


def _wants_traceback() -> bool:
    return os.environ.get("TURNLOG_TRACEBACK", "") not in ("", "0")


def _print_anything() -> None:
    """Characters that the terminal's encoding lacks are escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """Drops the buffered output, because stdout is closed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(wanted: bool) -> None:
    if wanted:
        from turnlog import __version__

        print(f"turnlog {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    context_settings=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def options(
    db: Db = None,
    keys: Keys = None,
    json: Json = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Record conversations of bots, see every state they were in, and export them."""
    configure(db=db, keys=keys, json=json)

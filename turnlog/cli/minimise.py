"""`turnlog minimise`: the fewest messages that still show a divergence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnlog.cli import output
from turnlog.cli.asking import Timeout, Tools, check_tools
from turnlog.cli.differing import Differing
from turnlog.cli.settings import Id, open_log
from turnlog.cli.trial import load_bot
from turnlog.domain.amounts import amount

if TYPE_CHECKING:
    from turnlog.replay.trying.minimise import Minimised

Bot = Annotated[str, typer.Option("--bot", metavar="MODULE:ATTR", help="The bot.")]
Old = Annotated[
    str | None, typer.Option("--old", metavar="BOT", help="A bot that answers correctly.")
]
Group = Annotated[
    str | None,
    typer.Option("--group", metavar="G", help="The group, or its beginning; default: the first."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write a pytest file that fails.")
]


def minimise(
    *,
    id: Id,
    bot: Bot,
    old: Old = None,
    group: Group = None,
    out: Out = None,
    timeout: Timeout = 30.0,
    tools: Tools = "record",
    differing: Differing,
) -> None:
    """Find the fewest messages that show a divergence.

    Only the messages are kept: the bot, and --old, answer them again.

    Without --old, the record is taken as right, with the bot on the recorded slots. If the record
    itself is wrong, pass a fixed bot as --old.
    """
    from turnlog.replay.trying import minimise as minimising
    from turnlog.replay.trying.pytest_file import pytest_file

    check_tools(tools)
    output.leave_stdout_to(out)
    allowed = differing.allowed()
    loaded = load_bot(bot, timeout)
    right = None if old is None else load_bot(old, timeout)
    with open_log(readonly=True) as log:
        found = minimising.minimise(
            log, id, loaded, old=right, group=group, rules=allowed, timeout=timeout,
            live=tools == "live",
        )  # fmt: skip
    if out is not None:
        output.write(out, pytest_file(found, bot, allowed).encode())
    done = found.as_dict() | ({} if out is None else {"out": str(out)})
    output.document(done, human=lambda: _print(found, out))


def _print(found: Minimised, out: Path | None) -> None:
    rows = zip(found.turns, (line.message.text for line in found.lines), strict=True)
    output.table(("turn", "message"), rows)
    count, of = len(found.lines), amount(found.of, "message")
    output.say(f"{count:,} of {of} show it: {found.divergence.group}")
    if out is not None:
        output.say(f"wrote {out}")

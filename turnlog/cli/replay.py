"""`turnlog replay`: asks a bot again what users said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from turnlog.cli import output
from turnlog.cli import replayed as found
from turnlog.cli.asking import Asking
from turnlog.cli.choosing import Choice
from turnlog.cli.differing import Differing
from turnlog.cli.settings import open_log
from turnlog.cli.trial import TrialOptions, replay_trial

if TYPE_CHECKING:
    from turnlog.replay.allowing.rules import Rules

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="The conversations; or --all.")
]
All = Annotated[bool, typer.Option("--all", help="Every conversation.")]
BotName = Annotated[str, typer.Option("--bot", metavar="MODULE:ATTR", help="The bot.")]
First = Annotated[
    bool, typer.Option("--first", help="Only the first difference of a conversation.")
]
AcceptedFile = Annotated[
    Path | None,
    typer.Option("--accepted", metavar="FILE", help="Accepted groups (TOML)."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Keep the run, for `compare`.")
]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write an HTML page.")]


class Reporting(NamedTuple):
    """The files that a replay writes."""

    accepted: AcceptedFile = None
    first: First = False
    out: Out = None
    junit: Junit = None
    html: Html = None


def replay(
    *,
    bot: BotName,
    ids: Ids = None,
    all_: All = False,
    choice: Choice,
    how: Asking,
    differing: Differing,
    report: Reporting,
    alone: TrialOptions,
) -> None:
    """Ask a bot again and report where its answers differ.

    Exit status 1 if an answer differs, 2 if nothing was replayed or the bot is broken, 3 if answers
    differ only in some of several runs. Differences with one cause are one group.

    The clock, the tool results and the past before each message come from the record.
    """
    if all_ if ids else not (all_ or any(choice)):
        raise typer.BadParameter("name conversations, or pass --all or an option that selects some")
    how.check()
    output.leave_stdout_to(report.out, report.junit, report.html)
    allowed = differing.allowed()
    if not alone.given:
        _replay(bot, ids or (), choice, how, allowed, report, whole=all_ and not any(choice))
    elif any(report) or any(choice) or how.runs > 1 or how.jobs > 1 or how.pdb:
        why = "--from-turn cannot be combined with options for runs, reports, groups or selection"
        raise typer.BadParameter(why)
    else:
        live = how.tools == "live"
        replay_trial(ids or (), bot, alone, rules=allowed, timeout=how.timeout, live=live)


def _replay(
    bot: str,
    ids: Sequence[str],
    choice: Choice,
    how: Asking,
    allowed: Rules,
    report: Reporting,
    *,
    whole: bool,
) -> None:
    """Prints and stores the findings; whole: whether all conversations of the log are replayed."""
    from turnlog.replay.runs import accepted, run

    known = accepted.load(report.accepted) if report.accepted else accepted.Accepted()
    with open_log(readonly=True) as log:
        chosen = choice.ids(log, ids)
        results = how.results(log, chosen, bot, allowed, once=whole, every=bool(known.accepted))
        results = (known.applied(one, allowed) for one in results)
        head = run.head(log, bot, rules=allowed, time=time.time())
        if report.out is not None:
            results = run.kept(results, report.out, head)
        replayed = found.show(results, len(chosen), first=report.first)
    how.tell_flaky(replayed)
    found.note_uncovered(allowed, replayed)
    found.note_accepted(known, replayed, whole=whole)
    found.note_next(replayed, report.out)
    found.write_reports(replayed, head, report.junit, report.html)
    if status := how.status(replayed):
        raise typer.Exit(status)

"""`turnlog replay`: a bot is asked again what users said."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from turnlog.cli import asking, output, trial
from turnlog.cli import replayed as found
from turnlog.cli.choosing import Choice, Last, Sample, Since, Where
from turnlog.cli.settings import open_log

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="The conversations; or --all.")
]
All = Annotated[bool, typer.Option("--all", help="Every conversation.")]
BotName = Annotated[str, typer.Option("--bot", metavar="MODULE:ATTR", help="The bot.")]
RulesFile = Annotated[
    Path | None, typer.Option("--rules", metavar="FILE", help="What may differ (TOML).")
]
Ignore = Annotated[
    list[str] | None, typer.Option("--ignore", metavar="KIND", help="A kind that may differ.")
]
IgnoreSlot = Annotated[
    list[str] | None,
    typer.Option("--ignore-slot", metavar="PATTERN", help="Slots that may differ: session_*."),
]
Mask = Annotated[
    list[str] | None,
    typer.Option("--mask", metavar="REGEX", help="What it matches in a text may differ."),
]
First = Annotated[bool, typer.Option("--first", help="One difference a conversation.")]
AcceptedFile = Annotated[
    Path | None,
    typer.Option("--accepted", metavar="FILE", help="Groups that are known and wanted (TOML)."),
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Keep the run, for `compare`.")
]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write an HTML page.")]


def replay(
    bot: BotName,
    ids: Ids = None,
    all_: All = False,
    where: Where = None,
    since: Since = None,
    last: Last = None,
    sample: Sample = None,
    jobs: asking.Jobs = 1,
    concurrency: asking.Concurrency = 1,
    timeout: asking.Timeout = 30.0,
    tools: asking.Tools = "record",
    pdb: asking.Pdb = False,
    runs: asking.Runs = 1,
    at_least: asking.AtLeast = None,
    rules: RulesFile = None,
    ignore: Ignore = None,
    ignore_slot: IgnoreSlot = None,
    mask: Mask = None,
    accepted: AcceptedFile = None,
    first: First = False,
    out: Out = None,
    junit: Junit = None,
    html: Html = None,
    from_turn: trial.FromTurn = None,
    say: trial.Say = None,
    edit: trial.Edit = None,
    follow: trial.Follow = False,
    beside: trial.Beside = None,
    as_: trial.As = None,
) -> None:
    """Ask a bot again what users said, and compare.

    Exit status 1 where it answers otherwise, 2 where nothing was replayed or the bot is broken, 3
    where it only does so in some of several runs. Differences of one cause are one group.

    Clock, tool results and what came before each message are the record's.
    """
    from turnlog.replay.allowing import rules as rule
    from turnlog.replay.runs import accepted as accepting
    from turnlog.replay.runs import run

    choice = Choice(where, since, last, sample)
    if all_ if ids else not (all_ or any(choice)):
        raise typer.BadParameter("name conversations, or give --all, or what chooses some")
    how = asking.Asking(jobs, concurrency, timeout, tools, pdb, runs, at_least)
    how.check()
    output.leave_stdout_to(out, junit, html)
    allowed = rule.combined(rules, ignore or (), ignore_slot or (), mask or ())
    alone = trial.TrialOptions(from_turn, say, edit or (), follow, beside, as_)
    if alone.given:
        if out or accepted or junit or html or first or any(choice) or runs > 1 or jobs > 1 or pdb:
            why = "what goes on alone has no run, report, group or choice of conversations"
            raise typer.BadParameter(why)
        trial.replay_trial(
            ids or (), bot, alone, rules=allowed, timeout=timeout, live=tools == "live"
        )
        return
    known = accepting.load(accepted) if accepted else accepting.Accepted()
    with open_log(readonly=True) as log:
        chosen = choice.ids(log, ids or ())
        whole = all_ and not any(choice)
        results = how.results(log, chosen, bot, allowed, once=whole, every=bool(known.accepted))
        results = (known.applied(one, allowed) for one in results)
        head = run.head(log, bot, rules=allowed, time=time.time())
        if out is not None:
            results = run.kept(results, out, head)
        replayed = found.show(results, len(chosen), first=first)
    how.tell_flaky(replayed)
    found.note_uncovered(allowed, replayed)
    found.note_accepted(known, replayed, whole=whole)
    found.note_next(replayed, out)
    found.write_reports(replayed, head, junit, html)
    if status := how.status(replayed):
        raise typer.Exit(status)

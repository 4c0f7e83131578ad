"""`turnlog replay`: a bot is asked again what users said."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log, settings
from turnlog.domain.amounts import amount

if TYPE_CHECKING:
    from turnlog.bots import LoadedBot

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="The conversations; or --all.")
]
All = Annotated[bool, typer.Option("--all", help="Every conversation.")]
BotName = Annotated[str, typer.Option("--bot", metavar="MODULE:ATTR", help="The bot.")]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", min=1, help="Processes.")]
Timeout = Annotated[float, typer.Option("--timeout", metavar="S", help="Seconds for an answer.")]
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
Junit = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write an HTML page.")]


def replay(
    bot: BotName,
    ids: Ids = None,
    all_: All = False,
    jobs: Jobs = 1,
    timeout: Timeout = 30.0,
    rules: RulesFile = None,
    ignore: Ignore = None,
    ignore_slot: IgnoreSlot = None,
    mask: Mask = None,
    junit: Junit = None,
    html: Html = None,
) -> None:
    """Ask a bot again what users said, and compare.

    Exit status 1 where it answers otherwise; the first time in each conversation is shown.

    Clock, tool results and what came before each message are the record's.
    """
    from turnlog.replay import many
    from turnlog.replay import rules as rule

    if bool(ids) == all_:
        raise typer.BadParameter("name conversations, or give --all")
    output.leave_stdout_to(junit, html)
    allowed = rule.combined(rules, ignore or (), ignore_slot or (), mask or ())
    loaded = _loaded(bot)
    outcomes: list[tuple[str, Any]] = []
    with open_log(readonly=True) as log:
        chosen = list(log.ids(trials=False)) if all_ else list(ids or ())
        results = many.replay(log, chosen, loaded, rules=allowed, timeout=timeout, jobs=jobs)
        diverging = _divergences(results, outcomes, len(chosen))
        if settings().json:
            output.lines(diverging, columns=())
        else:
            _print(len(list(diverging)), outcomes)
    _write_reports(outcomes, bot, junit, html)
    if any(divergence for _, divergence in outcomes):
        raise typer.Exit(1)


def _loaded(bot: str) -> LoadedBot:
    """The bot; what its module prints goes to stderr."""
    from turnlog import bots

    with redirect_stdout(sys.stderr):
        return bots.load(bot)


def _divergences(results: Any, outcomes: list[Any], count: int) -> Iterator[dict[str, Any]]:
    """Each divergence as it is found; all outcomes are gathered, and now and then counted aloud."""
    from msgspec.structs import asdict

    for outcome in results:
        outcomes.append(outcome)
        if outcome[1] is not None:
            yield asdict(outcome[1])
        if len(outcomes) % 100 == 0:
            output.note(f"{len(outcomes):,} of {amount(count, 'conversation')}")


def _print(count: int, outcomes: Any) -> None:
    from turnlog.reports.replay import grouped

    if count:
        columns = ("kind", "what", "conversations", "first", "turn")
        output.table(columns, (_row(group) for group in grouped(outcomes)))
    output.say(f"conversations: {len(outcomes):,}, diverging: {count:,}")


def _write_reports(outcomes: Any, bot: str, junit: Path | None, html: Path | None) -> None:
    from turnlog.reports import replay as report

    for path, write in ((junit, report.junit), (html, report.html)):
        if path is not None:
            output.write(path, write(outcomes, bot))


def _row(group: Any) -> tuple[Any, ...]:
    first = group.divergences[0]
    return group.kind, group.what, len(group.divergences), first.conversation, first.turn

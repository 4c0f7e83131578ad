"""`turnlog replay`: a bot is asked again what users said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnlog.cli import asking, output, trial
from turnlog.cli.choosing import Choice, Last, Sample, Since, Where
from turnlog.cli.settings import open_log, settings
from turnlog.domain.amounts import amount

if TYPE_CHECKING:
    from turnlog.replay.divergence import Divergence
    from turnlog.replay.groups import DivergenceGroup
    from turnlog.replay.replayed import ReplayedConversation
    from turnlog.replay.rules import Rules

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
    first: First = False,
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
    from turnlog.replay import rules as rule

    choice = Choice(where, since, last, sample)
    if all_ if ids else not (all_ or any(choice)):
        raise typer.BadParameter("name conversations, or give --all, or what chooses some")
    how = asking.Asking(jobs, concurrency, timeout, tools, pdb, runs, at_least)
    how.check()
    output.leave_stdout_to(junit, html)
    allowed = rule.combined(rules, ignore or (), ignore_slot or (), mask or ())
    alone = trial.TrialOptions(from_turn, say, edit or (), follow, beside, as_)
    if alone.given:
        trial.replay_trial(
            ids or (), bot, alone, rules=allowed, timeout=timeout, live=tools == "live"
        )
        return
    replayed: list[ReplayedConversation] = []
    with open_log(readonly=True) as log:
        chosen = choice.ids(log, ids or ())
        results = how.results(log, chosen, bot, allowed)
        found = _divergences(_counted(results, replayed, len(chosen)), first)
        if settings().json:
            output.lines(_lines(found), columns=())
        else:
            _print(found, replayed)
    _note_uncovered(allowed, replayed)
    _write_reports(replayed, bot, junit, html)
    if status := how.status(replayed):
        raise typer.Exit(status)


def _counted(
    results: Iterable[ReplayedConversation], gathered: list[ReplayedConversation], count: int
) -> Iterator[ReplayedConversation]:
    """They are all gathered, and now and then counted aloud."""
    for one in results:
        gathered.append(one)
        yield one
        if len(gathered) % 100 == 0:
            output.note(f"{len(gathered):,} of {amount(count, 'conversation')}")


def _divergences(results: Iterable[ReplayedConversation], first: bool) -> Iterator[Divergence]:
    for one in results:
        yield from one.divergences[: 1 if first else None]


def _lines(found: Iterable[Divergence]) -> Iterator[dict[str, Any]]:
    """Each divergence as it is found, then the groups."""
    from msgspec.structs import asdict

    from turnlog.replay.groups import Grouping

    grouping = Grouping()
    for divergence in found:
        grouping.add([divergence])
        yield asdict(divergence)
    yield from (group.as_dict() for group in grouping.groups())


def _print(found: Iterable[Divergence], replayed: Sequence[ReplayedConversation]) -> None:
    from turnlog.replay.groups import grouped

    if groups := grouped(found):
        columns = ("group", "conversations", "turns", "first", "turn")
        output.table(columns, (_row(group) for group in groups))
    count = sum(bool(one.divergences) for one in replayed)
    output.say(f"conversations: {len(replayed):,}, diverging: {count:,}")


def _note_uncovered(rules: Rules, replayed: Sequence[ReplayedConversation]) -> None:
    from turnlog.replay.coverage import entries

    covered = frozenset().union(*(one.covered for one in replayed))
    for entry in entries(rules):
        if entry not in covered:
            output.note(f"no conversation covers the rule {entry}")


def _write_reports(
    replayed: Sequence[ReplayedConversation], bot: str, junit: Path | None, html: Path | None
) -> None:
    from turnlog.reports import replay as report

    for path, write in ((junit, report.junit), (html, report.html)):
        if path is not None:
            output.write(path, write(replayed, bot))


def _row(group: DivergenceGroup) -> tuple[Any, ...]:
    example = group.example
    return group.group, group.conversations, group.turns, example.conversation, example.turn

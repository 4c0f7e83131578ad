"""How `turnlog replay` asks a bot: in which processes, how often, with which tools."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, NamedTuple

import typer

from turnlog.cli import output
from turnlog.cli.settings import settings

Jobs = Annotated[int, typer.Option("--jobs", metavar="N", min=1, help="Processes.")]
Concurrency = Annotated[
    int,
    typer.Option("--concurrency", metavar="N", min=1, help="Conversations at a time, for each."),
]
Timeout = Annotated[float, typer.Option("--timeout", metavar="S", help="Seconds for an answer.")]
Tools = Annotated[
    str,
    typer.Option(
        "--tools", metavar="record|live", help="Recorded results, or really run the tools."
    ),
]
Pdb = Annotated[bool, typer.Option("--pdb", help="Debug the bot when it raises or stops.")]
Runs = Annotated[int, typer.Option("--runs", metavar="N", min=1, help="Runs, to find flaky turns.")]
AtLeast = Annotated[
    int | None,
    typer.Option("--at-least", metavar="K", min=1, help="Runs in which a turn must be equal."),
]

FLAKY = 3
"""Exit status if every difference is absent from some runs."""


class Asking(NamedTuple):
    """The options that decide how a bot is asked."""

    jobs: Jobs = 1
    concurrency: Concurrency = 1
    timeout: Timeout = 30.0
    tools: Tools = "record"
    pdb: Pdb = False
    runs: Runs = 1
    at_least: AtLeast = None

    def check(self) -> None:
        """Raises BadParameter for options that exclude each other."""
        alone = self.jobs == self.concurrency == self.runs == 1
        if self.pdb and (settings().json or not alone):
            raise typer.BadParameter("--pdb needs the terminal and one bot at a time")
        check_tools(self.tools)
        if self.at_least is not None and self.at_least > self.runs:
            raise typer.BadParameter(f"--at-least {self.at_least} is more than --runs")

    def results(
        self, log: Any, ids: Iterable[str], bot: str, rules: Any, *, once: bool, every: bool
    ) -> Iterable[Any]:
        """The replay of each conversation, in order. once: they are all of the log's. every: with
        all differences of a turn.
        """
        from turnlog.replay.running import flaky, many

        options: Any = {
            "rules": rules, "timeout": self.timeout, "jobs": self.jobs,
            "concurrency": self.concurrency, "tools": self.tools, "once": once,
        }  # fmt: skip
        if self.runs == 1:
            return many.replay(log, ids, bot, pdb=self.pdb, every=every, **options)
        at_least = self.at_least or self.runs
        return flaky.replay_again(log, ids, bot, runs=self.runs, at_least=at_least, **options)

    def tell_flaky(self, replayed: Iterable[Any]) -> None:
        """How many turns differ in every run, and how many in some."""
        from turnlog.replay.running.flaky import is_flaky

        if self.runs == 1 or settings().json:
            return
        turns: dict[tuple[str, int], bool] = {}
        for divergence in (each for one in replayed for each in one.divergences):
            turn = divergence.conversation, divergence.turn
            turns[turn] = is_flaky(divergence, self.runs) and turns.get(turn, True)
        flaky = sum(turns.values())
        output.say(f"runs: {self.runs}, turns wrong: {len(turns) - flaky:,}, flaky: {flaky:,}")

    def status(self, replayed: Iterable[Any]) -> int:
        """The exit status. Raises BotError if nothing was replayed."""
        from turnlog.replay.replayed import check_something_was_replayed
        from turnlog.replay.running.flaky import is_flaky

        replayed = list(replayed)
        check_something_was_replayed(replayed)
        found = [divergence for one in replayed for divergence in one.divergences]
        if all(is_flaky(divergence, self.runs) for divergence in found):
            return FLAKY if found else 0
        return 1


def check_tools(tools: str) -> None:
    """Raises BadParameter for an unknown value of --tools."""
    if tools not in ("record", "live"):
        raise typer.BadParameter(f"unknown --tools {tools!r}; known: record, live")

"""`turnlog retain`: keeps conversations by rules, and erases those past their ceilings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import actor as this_user
from turnlog.cli.settings import open_log

Config = Annotated[Path, typer.Option("--config", metavar="FILE", help="The rules, as TOML.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be erased; change nothing.")
]
Actor = Annotated[
    str | None,
    typer.Option("--actor", metavar="A", help="Who is responsible; default: your user name."),
]
COLUMNS = ("conversation", "rule", "action", "why")


def retain(config: Config, dry_run: DryRun = False, actor: Actor = None) -> None:
    """Keep conversations by rules; erase those past their ceilings.

    The first matching rule counts for a conversation. Its floor also protects from `erase`; holds
    take precedence over both. Try it with --dry-run first.
    """
    from turnlog.engine.erasure.retention import planned, read_rules, set_rules

    rules = read_rules(_text(config), str(config))
    who = actor or this_user()
    with open_log(readonly=dry_run, shows=False) as log:
        plan = planned(log, rules, log.clock())
        if not dry_run:
            set_rules(log, rules, who)
            _erase(log, plan, who)
    action = "would go" if dry_run else "erased"
    lines: list[dict[str, Any]] = [
        {"conversation": id, "rule": rule, "action": action, "why": "past its ceiling"}
        for id, rule in plan.goes
    ]
    lines += [{**kept._asdict(), "action": "kept"} for kept in plan.kept]
    output.lines(lines, columns=COLUMNS)


def _text(path: Path) -> str:
    from turnlog.errors import FormatError

    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(getattr(error, "strerror", None) or str(error), file=str(path)) from error


def _erase(log: Any, plan: Any, actor: str) -> None:
    """Erases one after the other; the last one clears free space."""
    for number, (id, rule) in enumerate(plan.goes, 1):
        vacuum = "yes" if number == len(plan.goes) else "no"
        log.erase(id, reason=f"past the ceiling of the rule {rule!r}", actor=actor, vacuum=vacuum)

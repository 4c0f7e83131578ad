"""`turnlog bundle`: a divergence for others, without personal words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnlog.cli import output
from turnlog.cli.asking import Timeout
from turnlog.cli.differing import Differing
from turnlog.cli.minimise import Bot, Group, Old
from turnlog.cli.settings import Id, open_log
from turnlog.cli.trial import load_bot
from turnlog.domain.amounts import amount

if TYPE_CHECKING:
    from turnlog.replay.trying.bundle import Bundle

Out = Annotated[Path, typer.Option("--out", metavar="FILE", help="The file to write.")]
Keep = Annotated[
    list[str] | None,
    typer.Option("--keep", metavar="WORD", help="A value that may stay, after you checked it."),
]


def bundle(
    *,
    id: Id,
    bot: Bot,
    out: Out,
    old: Old = None,
    group: Group = None,
    keep: Keep = None,
    timeout: Timeout = 30.0,
    differing: Differing,
) -> None:
    """Write a divergence's fewest messages, without personal words.

    Words and numbers are replaced; one stays only if the divergence depends on it.

    Others import the file and replay it with the same bot.
    """
    from turnlog.replay.trying import bundle as bundling

    output.leave_stdout_to(out)
    allowed = differing.allowed()
    loaded = load_bot(bot, timeout)
    right = None if old is None else load_bot(old, timeout)
    with open_log(readonly=True) as log:
        made = bundling.bundle(
            log, id, loaded, old=right, group=group, keep=keep or (), rules=allowed,
            timeout=timeout,
        )  # fmt: skip
    output.write(out, made.as_jsonl())
    done = made.as_dict() | {"out": str(out)}
    output.document(done, human=lambda: _print(made, out))


def _print(made: Bundle, out: Path) -> None:
    done = made.as_dict()
    output.table(("turn", "message"), enumerate(done["messages"], 1))
    count, of = len(done["messages"]), amount(done["of"], "message")
    output.say(f"{count:,} of {of} show it: {made.divergence.group}")
    output.say(f"words that stayed: {', '.join(made.kept) or 'none'}")
    output.say(f"wrote {out}; check it before you share it")

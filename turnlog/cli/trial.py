"""`turnlog replay ID --from-turn N`: a bot continues a conversation from a turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log, settings
from turnlog.domain.amounts import amount

if TYPE_CHECKING:
    from turnlog.replay.allowing.rules import Rules
    from turnlog.replay.trying.trial import Trial

FromTurn = Annotated[
    int | None,
    typer.Option("--from-turn", metavar="N", help="Let the bot continue from this turn."),
]
Say = Annotated[
    str | None, typer.Option("--say", metavar="TEXT", help="Another message in its place.")
]
Edit = Annotated[
    list[str] | None,
    typer.Option("--edit", metavar="EVENT=JSON", help="Other fields for a recorded event."),
]
Follow = Annotated[
    bool, typer.Option("--follow", help="Then send the later recorded messages, too.")
]
Beside = Annotated[
    str | None,
    typer.Option("--beside", metavar="BOT", help="Compare with this bot's answers from there."),
]
As = Annotated[str | None, typer.Option("--as", metavar="NEW", help="Keep it as a trial fork.")]


class TrialOptions(NamedTuple):
    """The options that let a bot continue from a turn."""

    from_turn: FromTurn = None
    say: Say = None
    edit: Edit = None
    follow: Follow = False
    beside: Beside = None
    as_: As = None

    @property
    def given(self) -> bool:
        """Whether any of them was passed."""
        return any(self[1:]) or self.from_turn is not None or self.say is not None


def replay_trial(
    ids: Sequence[str],
    bot: str,
    options: TrialOptions,
    *,
    rules: Rules,
    timeout: float,
    live: bool,
) -> None:
    """Continues from the turn and reports the answers. Exit status 1 if one differs."""
    from turnlog.replay.trying import trial

    if len(ids) != 1:
        raise typer.BadParameter("--from-turn is for one conversation: name it")
    if options.from_turn is None and not options.edit:
        raise typer.BadParameter("these options need --from-turn N")
    with open_log(readonly=options.as_ is None) as log:
        tried = trial.go_on(
            log,
            ids[0],
            load_bot(bot, timeout),
            from_turn=options.from_turn,
            say=options.say,
            edits=dict(map(_edit, options.edit or ())),
            follow=options.follow or None,
            beside=None if options.beside is None else load_bot(options.beside, timeout),
            rules=rules,
            timeout=timeout,
            live=live,
        )
        if options.as_ is not None:
            trial.keep(log, tried, options.as_, reason=f"tried with {bot}")
    _print(tried, options.as_, "other bot" if options.beside else "record")
    if tried.differs:
        raise typer.Exit(1)


def load_bot(name: str, timeout: float) -> Any:
    """A bot by its name or URL; what its module prints goes to stderr."""
    import sys
    from contextlib import redirect_stdout

    from turnlog import bots

    with redirect_stdout(sys.stderr):
        return bots.named(name, timeout=timeout)


def _edit(given: str) -> tuple[int, Mapping[str, Any]]:
    """The number of an event and its new fields."""
    import msgspec

    number, _, fields = given.partition("=")
    try:
        return int(number), msgspec.json.decode(fields, type=dict[str, Any])
    except ValueError as error:  # also msgspec's
        why = f"{given!r} is not EVENT=JSON, such as 4='{{\"value\": 3}}': {error}"
        raise typer.BadParameter(why) from error


def _print(tried: Trial, kept: str | None, reference: str) -> None:
    if settings().json:
        output.lines(_lines(tried, kept), columns=())
        return
    output.table(("turn", "who", "what"), _rows(tried, reference))
    count = sum(turn.divergence is not None for turn in tried.turns)
    verb = "differs" if count == 1 else "differ"
    output.say(f"{amount(len(tried.turns), 'turn')}, {count:,} {verb} from the {reference}")
    if kept is not None:
        output.say(f"kept as {kept}, a trial fork of {tried.conversation}")


def _lines(tried: Trial, kept: str | None) -> Iterator[dict[str, Any]]:
    yield from (turn.as_dict() for turn in tried.turns)
    if kept is not None:
        origin, events = tried.conversation, len(tried.events)
        yield {"kind": "fork", "conversation": kept, "origin": origin, "event": tried.shared,
               "recorded": events + 1}  # fmt: skip


def _rows(tried: Trial, reference: str) -> Iterator[tuple[Any, ...]]:
    """The messages; of a turn that differs, also the reference's, and the difference."""
    for turn in tried.turns:
        yield turn.turn, "user", turn.message.text
        yield from (("", "bot", text) for text in _texts(turn.actual))
        if turn.divergence is not None:
            yield from (("", reference, text) for text in _texts(turn.expected))
            yield "", "differs", turn.divergence.group


def _texts(answer: Sequence[Any]) -> Iterator[str]:
    """An answer as people read it."""
    for event in answer:
        text = getattr(event, "text", None) or getattr(event, "detail", None)
        if text:
            yield text

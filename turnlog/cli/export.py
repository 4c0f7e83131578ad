"""`turnlog export`: conversations become files to learn from, or to take elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.exported import tell
from turnlog.cli.listing import Where
from turnlog.cli.settings import Ids, actor, open_log, settings
from turnlog.domain.amounts import amount
from turnlog.serializers.formats import WRITABLE, listed

if TYPE_CHECKING:
    from turnlog.engine.log import Turnlog
    from turnlog.training.card.card import Card
    from turnlog.training.ledger import Ledger
    from turnlog.training.run import Progress

EPILOG = listed(WRITABLE)

Format = Annotated[
    str | None,
    typer.Option("--format", metavar="F", help="One of those below.", show_default=False),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="PATH", help="The file to write; with --split, the folder."),
]
Split = Annotated[
    str | None,
    typer.Option("--split", metavar="PARTS", help="A file a part: train=0.8,dev=0.1,test=0.1."),
]
By = Annotated[
    str | None,
    typer.Option("--by", metavar="WHAT", help="Split by conversation, else, or by user."),
]
AllowLeaks = Annotated[
    bool, typer.Option("--allow-leaks", help="Write although users are in more than one part.")
]
Include = Annotated[
    str | None,
    typer.Option(
        "--include", metavar="WHAT", help="What is left out else: rewound,errors,redacted."
    ),
]
AtPosition = Annotated[
    int | None,
    typer.Option("--at-position", metavar="N", help="As the log stood then; else as it is."),
]
SkipFaulty = Annotated[
    bool, typer.Option("--skip-faulty", help="Name what must not be written, write the rest.")
]
RasaPrefix = Annotated[
    str | None,
    typer.Option(
        "--prefix",
        metavar="P",
        help="rasa-dialogue: rasa_core, rasa.core or rasa.shared.core (the default).",
    ),
]
Turns = Annotated[
    int | None, typer.Option("--turns", metavar="N", min=1, help="rasa-*: the last N turns alone.")
]
Type = Annotated[
    str | None,
    typer.Option(
        "--type",
        metavar="T",
        help="trl: language (the default), prompt, completion, preference, unpaired or stepwise.",
    ),
]
Standard = Annotated[
    bool, typer.Option("--standard", help="trl: texts instead of lists of messages.")
]
Trim = Annotated[
    bool,
    typer.Option("--trim", help="openai, trl, parquet: end each with the assistant's last answer."),
]
AsIds = Annotated[
    str | None,
    typer.Option("--ids", metavar="WHAT", help="keep or pseudonyms; else as the format has them."),
]
Redact = Annotated[
    bool,
    typer.Option("--redact", help="Pseudonyms for people, slots, entities, mails, phones, cards."),
]
Leave = Annotated[
    str | None,
    typer.Option("--leave", metavar="NAMES", help="Slots and entities that --redact leaves."),
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="WHOM", help="Who gets it; the log keeps that."),
]
Unrecorded = Annotated[
    bool,
    typer.Option("--unrecorded", help="The log keeps nothing of it; the manifest says so."),
]
AsCard = Annotated[
    Path | None,
    typer.Option(
        "--card",
        metavar="FACTS",
        help="With --split: a README and more beside the parts; FACTS is a TOML file.",
    ),
]
Without = Annotated[
    str | None,
    typer.Option(
        "--without",
        metavar="PERSON",
        help="An export again without this person; its manifest comes as the ID.",
    ),
]
Jobs = Annotated[
    int,
    typer.Option("--jobs", metavar="N", min=1, help="Processes, for one file of everything."),
]
Verify = Annotated[
    Path | None,
    typer.Option("--verify", metavar="MANIFEST", help="Hold an export against the log instead."),
]


def export(
    ids: Ids = None,
    format: Format = None,
    out: Out = None,
    where: Where = None,
    split: Split = None,
    by: By = None,
    allow_leaks: AllowLeaks = False,
    include: Include = None,
    at_position: AtPosition = None,
    skip_faulty: SkipFaulty = False,
    prefix: RasaPrefix = None,
    turns: Turns = None,
    type: Type = None,
    standard: Standard = False,
    trim: Trim = False,
    as_ids: AsIds = None,
    redact: Redact = False,
    leave: Leave = None,
    to: To = None,
    unrecorded: Unrecorded = False,
    card: AsCard = None,
    without: Without = None,
    jobs: Jobs = 1,
    verify: Verify = None,
) -> None:
    """Write conversations to a file, with a manifest.

    The manifest says where each example comes from. The log keeps what went to whom, so that who
    has to be told of an erasure is known.
    """
    if verify is not None:
        _verify(verify)
        return
    if without is not None:
        _without(without, ids or [], out, _ledger(to, unrecorded), _card(card))
        return
    format, out = _named(format, out, by)
    output.leave_stdout_to(out)
    from turnlog.training.plan import ExportPlan, included, parts
    from turnlog.training.write import export as write

    with open_log(readonly=True) as log, _ledger(to, unrecorded) as ledger, _progress() as progress:
        plan = ExportPlan(
            format=format,
            position=log.store.reader.last_position() if at_position is None else at_position,
            ids=sorted(set(ids)) if ids else None,
            where=where,
            split=parts(split) if split else None,
            by="user" if by == "user" else "conversation",
            include=included(include),
            skip_faulty=skip_faulty,
            together=split is not None,
            pseudonyms=_has_pseudonyms(as_ids, format),
            redact=redact,
            leave=_names(leave, redact=redact),
            leak_free=split is not None and not allow_leaks and by != "conversation",
            settings=_set(
                prefix=prefix, turns=turns, type=type, standard=standard or None, trim=trim or None
            ),
        )
        totals = write(
            log, plan, out, progress=progress, ledger=ledger, card=_card(card), jobs=jobs,
            opener=_opener(),
        )  # fmt: skip
    tell(totals, plan, out)


def _opener() -> Callable[[], Turnlog]:
    """Opens the log in another process."""
    from turnlog.engine.opening import open

    asked = settings()
    return partial(open, asked.db, readonly=True, keys=asked.keys)


def _names(text: str | None, *, redact: bool) -> list[str]:
    if text is not None and not redact:
        raise typer.BadParameter("--leave is for --redact")
    return sorted({name for part in (text or "").split(",") if (name := part.strip())})


def _has_pseudonyms(asked: str | None, format: str) -> bool:
    from turnlog.serializers.formats import codec

    if asked not in (None, "keep", "pseudonyms"):
        raise typer.BadParameter("--ids takes keep or pseudonyms")
    kind = codec(format)
    return not (kind.whole or kind.keeps_ids) if asked is None else asked == "pseudonyms"


def _without(
    person: str,
    manifests: list[str],
    out: Path | None,
    recorded: AbstractContextManager[Any],
    card: Card | None,
) -> None:
    if len(manifests) != 1:
        raise typer.BadParameter("--without takes a person and the manifest of one export")
    from turnlog.training.remaking import without

    with open_log(readonly=True) as log, recorded as ledger, _progress() as progress:
        old = Path(manifests[0])
        made = without(log, person, old, out, progress=progress, ledger=ledger, card=card)
    tell(*made)


def _card(facts: Path | None) -> Card | None:
    if facts is None:
        return None
    from turnlog.training.card.card import Card
    from turnlog.training.card.facts import read_facts

    return Card(read_facts(facts))


def _named(format: str | None, out: Path | None, by: str | None) -> tuple[str, Path]:
    """Format and path, which an export needs."""
    if format is None or out is None:
        raise typer.BadParameter("--format and --out are needed")
    if by not in (None, "conversation", "user"):
        raise typer.BadParameter("--by takes conversation or user")
    return format, out


def _set(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


@contextmanager
def _ledger(recipient: str | None, unrecorded: bool) -> Iterator[Ledger | None]:
    """Where the export is recorded; None where it is not to be, or cannot be."""
    from turnlog.errors import StorageError
    from turnlog.training.ledger import Ledger

    if unrecorded:
        yield None
        return
    try:
        log = open_log()
    except StorageError as error:
        output.note(f"the export is not recorded: {error}")
        yield None
        return
    with log:
        yield Ledger(log, recipient, actor())


@contextmanager
def _progress() -> Iterator[Progress]:
    """A line on stderr that moves on, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console

    with Console(stderr=True).status("exporting") as status:
        yield lambda done: status.update(amount(done, "conversation"))


def _verify(manifest: Path) -> None:
    """Print what differs; exit status 1 where anything does."""
    from msgspec import to_builtins

    from turnlog.training.verify import verify

    with open_log(readonly=True) as log, _progress() as progress:
        findings = [to_builtins(finding) for finding in verify(log, manifest, progress=progress)]
    output.document(
        {"ok": not findings, "findings": findings},
        human=lambda: (
            output.table(("file", "conversation", "events", "what"), _rows(findings))
            if findings
            else output.say("every example and file follows from the log")
        ),
    )
    if findings:
        raise typer.Exit(1)


def _rows(findings: list[dict[str, Any]]) -> Iterator[list[Any]]:
    for finding in findings:
        yield [finding["file"], finding["conversation"], finding["events"], finding["what"]]

"""`turnlog prove` and `check-proof`: proof of one turn for people without the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log

Turn = Annotated[int, typer.Option(metavar="N", help="The turn.")]
Keys = Annotated[
    list[Path] | None, typer.Option("--key", metavar="F", help="A key to sign a head for it with.")
]
Under = Annotated[
    Path | None,
    typer.Option(
        "--head",
        metavar="NOTE",
        help="An earlier signed head.",
    ),
]
Out = Annotated[Path, typer.Option("--out", metavar="P", help="The proof; P.json has the events.")]
Proof = Annotated[Path, typer.Argument(metavar="P", help="The proof, with P.json next to it.")]
Verifiers = Annotated[
    list[Path], typer.Option("--verifier", metavar="F.pub", help="A public key of the log.")
]
Heads = Annotated[
    list[Path] | None,
    typer.Option("--head", metavar="NOTE", help="A head that it must agree with."),
]


def prove(id: Id, turn: Turn, out: Out, key: Keys = None, head: Under = None) -> None:
    """Write the events of a turn, and a proof of them.

    The two files contain nothing of other turns, and nothing redacted or erased.
    """
    from turnlog.audit.proving import ProvableTurn, continuations, note_for
    from turnlog.projections.tree import Tree
    from turnlog.proof.keys import signer_in
    from turnlog.proof.note import Note

    with open_log() as log:
        signers = [signer_in(each) for each in key or ()]
        proven = ProvableTurn(log, id, turn)
        tree = Tree(log.store)
        given = None if head is None else Note.parse(output.read(head))
        note = note_for(tree, signers, log.clock, given)
        goes_on = continuations(tree, note, given)
        proof, sidecar = proven.proof(tree, note), proven.sidecar(tree.origin, goes_on)
    output.write(out, str(proof).encode())
    output.write(sidecar_of(out), sidecar.encoded())
    size = len(str(proof).encode())
    done = {"conversation": id, "turn": turn, "position": proof.index, "bytes": size}
    said = f"turn {turn} of {id}, position {proof.index}: {size} bytes"
    output.document(done, human=lambda: output.say(said))


def check_proof(p: Proof, verifier: Verifiers, head: Heads = None) -> None:
    """Check a proof without the log.

    It also shows what is proven. Exit status 1 if the proof is invalid.
    """
    from turnlog.audit.checking import check
    from turnlog.errors import InvalidNote, InvalidProof
    from turnlog.proof.keys import verifiers_in

    keys = [each for file in verifier for each in verifiers_in(file)]
    contents = [output.read(file) for file in (p, sidecar_of(p), *(head or ()))]
    try:
        proven = check(contents[0], contents[1], contents[2:], keys)
    except (InvalidNote, InvalidProof) as error:
        failed = {"ok": False, "what": str(error)}
        output.document(failed, human=lambda: output.say(f"not proven: {failed['what']}"))
        raise typer.Exit(1) from error
    output.document(_plain(proven), human=lambda: _print(proven))


def sidecar_of(proof: Path) -> Path:
    """The file with the events, next to the proof."""
    return proof.with_name(f"{proof.name}.json")


def _plain(proven: Any) -> dict[str, Any]:
    from msgspec import to_builtins

    head, sidecar = proven.head, proven.sidecar
    return {
        "ok": True, "conversation": sidecar.conversation, "turn": sidecar.turn,
        "log": sidecar.log, "position": proven.position, "size": head.checkpoint.size,
        "signers": list(head.signers), "events": to_builtins(sidecar.events),
    }  # fmt: skip


def _print(proven: Any) -> None:
    head, sidecar = proven.head, proven.sidecar
    rows = ((e.event, e.type, e.withheld or output.shown(e.says)) for e in sidecar.events)
    output.table(("event", "type", "says"), rows)
    signers = ", ".join(head.signers)
    of = f"turn {sidecar.turn} of {sidecar.conversation}, position {proven.position}"
    output.say(f"proven: {of} of {sidecar.log}, in the head of size {head.checkpoint.size}")
    output.say(f"signed by {signers}")

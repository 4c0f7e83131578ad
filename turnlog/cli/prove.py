"""`turnlog prove` and `check-proof`: what one turn was, for whoever does not have the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Id, open_log

Turn = Annotated[int, typer.Option(metavar="N", help="The turn.")]
Keys = Annotated[
    list[Path] | None, typer.Option("--key", metavar="F", help="Key that signs a head for it.")
]
Under = Annotated[
    Path | None,
    typer.Option(
        "--head",
        metavar="NOTE",
        help="A head that was signed before.",
    ),
]
Out = Annotated[Path, typer.Option("--out", metavar="P", help="The proof; P.json what it shows.")]
Proof = Annotated[Path, typer.Argument(metavar="P", help="The proof, with P.json beside it.")]
Verifiers = Annotated[
    list[Path], typer.Option("--verifier", metavar="F.pub", help="A public key of the log.")
]
Heads = Annotated[
    list[Path] | None, typer.Option("--head", metavar="NOTE", help="A head it has to agree with.")
]


def prove(id: Id, turn: Turn, out: Out, key: Keys = None, head: Under = None) -> None:
    """Write what was said in a turn, and the proof of it.

    Nothing of other turns, and nothing that is redacted or erased, is in the two files.
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
    output.write(beside(out), sidecar.encoded())
    size = len(str(proof).encode())
    done = {"conversation": id, "turn": turn, "position": proof.index, "bytes": size}
    said = f"turn {turn} of {id}, position {proof.index}: {size} bytes"
    output.document(done, human=lambda: output.say(said))


def check_proof(p: Proof, verifier: Verifiers, head: Heads = None) -> None:
    """Check a proof, without the log, and show what it proves.

    Exit status 1 where it does not.
    """
    from turnlog.audit.checking import check
    from turnlog.errors import InvalidNote, InvalidProof
    from turnlog.proof.keys import verifiers_in

    keys = [each for file in verifier for each in verifiers_in(file)]
    contents = [output.read(file) for file in (p, beside(p), *(head or ()))]
    try:
        proven = check(contents[0], contents[1], contents[2:], keys)
    except (InvalidNote, InvalidProof) as error:
        failed = {"ok": False, "what": str(error)}
        output.document(failed, human=lambda: output.say(f"not proven: {failed['what']}"))
        raise typer.Exit(1) from error
    output.document(_plain(proven), human=lambda: _print(proven))


def beside(proof: Path) -> Path:
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

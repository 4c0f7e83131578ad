"""`turnlog head`: a signed statement of the log's current state."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log

Keys = Annotated[
    list[Path], typer.Option("--key", metavar="F", help="A private key; can be repeated.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="NOTE", help="The file to write.")]
Tiles = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder to publish it in, with the tree's tiles.")
]


Witnesses = Annotated[
    list[str] | None, typer.Option("--witness", metavar="URL", help="A witness that cosigns it.")
]


Timestamp = Annotated[
    str | None,
    typer.Option(metavar="URL", help="An RFC 3161 authority; its answer is NOTE.tsr."),
]


def head(
    key: Keys,
    out: Out = None,
    tiles: Tiles = None,
    witness: Witnesses = None,
    timestamp: Timestamp = None,
) -> None:
    """Sign the current state of the log.

    Keep the head elsewhere: `turnlog verify --head NOTE` then checks that the log continues from
    it.
    """
    from turnlog.audit.publishing import Publisher
    from turnlog.errors import ProofError
    from turnlog.proof.folder import TileFolder
    from turnlog.proof.keys import signer_in
    from turnlog.proof.timestamp import beside, stamped

    if timestamp is not None and out is None:
        raise ProofError(
            "--timestamp needs --out NOTE: the authority's answer is stored next to it"
        )
    output.leave_stdout_to(out)
    folder = None if tiles is None else TileFolder(tiles)
    with open_log() as log:
        signers = [signer_in(each) for each in key]
        note = Publisher(log.store, signers, log.clock, folder, witness or ()).publish()
    if out is not None:
        output.write(out, str(note).encode())
        if timestamp is not None:
            output.write(beside(out), stamped(timestamp, note.text))
    output.document(_plain(note), human=lambda: output.text(str(note)))


def _plain(note: Any) -> dict[str, Any]:
    from turnlog.proof.checkpoint import LogCheckpoint

    made = LogCheckpoint.parse(note.text)
    found = {"origin": made.origin, "size": made.size, "root": made.root.hex()}
    return {**found, "position": made.size - 1, "note": str(note)}

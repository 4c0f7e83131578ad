"""`turnlog head`: a signed statement of what the log is now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import open_log

Keys = Annotated[
    list[Path], typer.Option("--key", metavar="F", help="The private key; several sign together.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="NOTE", help="File to write it to.")]
Tiles = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder to publish it to, with the tree's tiles.")
]


def head(key: Keys, out: Out = None, tiles: Tiles = None) -> None:
    """Sign what the log is now, to be kept elsewhere.

    `turnlog verify --head NOTE` shows from then on whether the log still goes on from there.
    """
    from turnlog.audit.publishing import head as signed
    from turnlog.proof.folder import TileFolder
    from turnlog.proof.keys import signer_in

    output.leave_stdout_to(out)
    folder = None if tiles is None else TileFolder(tiles)
    with open_log() as log:
        signers = [signer_in(each) for each in key]
        made = signed(log.store, signers, log.clock, folder)
    if out is not None:
        output.write(out, str(made.note).encode())
    output.document(_plain(made), human=lambda: output.text(str(made.note)))


def _plain(made: Any) -> dict[str, Any]:
    checkpoint = made.checkpoint
    found = {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}
    return {**found, "position": checkpoint.size - 1, "note": str(made.note)}

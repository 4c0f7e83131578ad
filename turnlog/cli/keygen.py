"""`turnlog keygen`: a pair of keys that sign and check heads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from turnlog.cli import output

Out = Annotated[
    Path, typer.Option("--out", metavar="F", help="The private key; F.pub is the public one.")
]
Name = Annotated[str | None, typer.Option(metavar="N", help="Its name in signatures [default: F].")]
Witness = Annotated[
    bool, typer.Option("--witness", help="Keys of a witness, which signs with the time.")
]


def keygen(out: Out, name: Name = None, witness: Witness = False) -> None:
    """Make a pair of keys, F and F.pub.

    F signs heads and F.pub checks them. No file is overwritten. Keep F where heads are signed, and
    give F.pub to everyone who checks them.
    """
    import os

    from turnlog.proof.keys import COSIGNATURE, PLAIN, Signer, write_pair

    named = name or "-".join(out.name.replace("+", " ").split())
    signer = Signer.of(named, COSIGNATURE if witness else PLAIN, os.urandom(32))
    public = write_pair(out, signer)
    made = {"key": str(out), "public": str(public), "verifier": str(signer.verifier)}
    output.document(made, human=lambda: output.say(str(signer.verifier)))

"""`turnlog witness`: stores the last head of each log, and cosigns heads that continue from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.extras import needed

Keys = Annotated[
    list[Path], typer.Option("--key", metavar="F", help="Its private key, of `keygen --witness`.")
]
Logs = Annotated[Path, typer.Option(metavar="FOLDER", help="The logs' public keys and last heads.")]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Address to bind to.")]
Port = Annotated[
    int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0 for any that is free.")
]
Once = Annotated[
    list[str] | None,
    typer.Option(metavar="PATH|URL", help="Check the heads published here once, and do not serve."),
]


def witness(
    key: Keys, logs: Logs, host: Host = "127.0.0.1", port: Port = 5006, once: Once = None
) -> None:
    """Serve a witness, which cosigns heads of logs that only grow.

    The first head of a log whose key is in FOLDER is its beginning. With --once, exit status 1 if a
    head does not continue from the last.
    """
    import time

    from turnlog.proof.keys import signer_in
    from turnlog.proof.witness import Witness

    served = Witness(logs, [signer_in(each) for each in key], time.time)
    if once:
        _look_at(served, once)
        return
    with needed("server", "a witness that serves"):
        from turnlog.server.witness import run
    run(served, host, port)


def _look_at(witness: Any, places: list[str]) -> None:
    from turnlog.proof.published import Published, cosign
    from turnlog.proof.witness import CosigningRefused

    found, refused = [], False
    for place in places:
        try:
            note = cosign(witness, Published(place))
            found.append({"log": place, "ok": True, "note": str(note)})
        except CosigningRefused as error:
            refused = True
            found.append({"log": place, "ok": False, "what": str(error)})
    output.lines(found, columns=("log", "ok", "what"))
    if refused:
        raise typer.Exit(1)

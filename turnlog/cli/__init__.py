"""The command line `turnlog`."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status: 0 fine, 1 findings, 2 bad input, 70 unexpected."""
    from turnlog.cli.app import app

    app(arguments, prog_name="turnlog")

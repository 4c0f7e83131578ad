"""The command line `turnlog`."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits with its status: 0 success, 1 findings, 2 bad input, 70
    unexpected.
    """
    from turnlog.cli.app import app

    app(arguments, prog_name="turnlog")

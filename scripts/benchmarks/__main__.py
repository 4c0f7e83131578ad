"""scripts/bench [NAME…] [--quick] [--json] [--docs]: each NAME is a module here with `figures`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

import msgspec
from rich.console import Console
from rich.table import Table

from scripts.benchmarks.figures import Figure

SETS = ("speed", "upkeep", "startup", "peers")
"""The default set; any other module is found by its name."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="less exact, in under a minute")
    parser.add_argument("--json", action="store_true", help="print a JSON list, nothing else")
    parser.add_argument("--docs", action="store_true", help="write docs/speed.svg and the tables")
    asked = parser.parse_args()
    taken = list(_figures(asked.names or SETS, asked.quick))
    if asked.json:
        plain = [{name: getattr(f, name) for name in f.__struct_fields__} for f in taken]
        sys.stdout.write(msgspec.json.encode(plain).decode() + "\n")
    else:
        Console().print(_table(taken))
    if asked.docs:
        from scripts.benchmarks import docs

        docs.write(taken)
    return 0


def _figures(names: tuple[str, ...] | list[str], quick: bool) -> Iterator[Figure]:
    for name in names:
        if find_spec(f"scripts.benchmarks.{name}") is None:
            sys.exit(f"bench: no file scripts/benchmarks/{name}.py")
        for figure in import_module(f"scripts.benchmarks.{name}").figures(quick=quick):
            print(f"bench: {figure.name}", file=sys.stderr)
            yield figure


def _table(figures: list[Figure]) -> Table:
    table = Table("name", "ours", "theirs", "unit", "ratio", "wanted", "")
    for f in figures:
        held = {True: "held", False: "MISSED", None: ""}[f.held]
        ratio = "" if f.ratio is None else f"{f.ratio:.3g}"
        theirs = "" if f.theirs is None else f"{f.theirs:,.4g}"
        table.add_row(f.name, f"{f.ours:,.4g}", theirs, f.unit, ratio, f.wanted, f"{held} {f.note}")
    return table


if __name__ == "__main__":
    sys.exit(main())

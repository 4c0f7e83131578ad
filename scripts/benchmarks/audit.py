"""The cost of a log that an auditor, a data-protection officer and a court can rely on."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.benchmarks import erasing, heads, sealed, why
from scripts.benchmarks.figures import Figure


def figures(*, quick: bool) -> Iterator[Figure]:
    yield from heads.figures(quick=quick)
    yield from sealed.figures(quick=quick)
    yield from erasing.figures(quick=quick)
    yield from why.figures(quick=quick)

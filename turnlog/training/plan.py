"""Plan: everything that decides an export. The manifest stores it, so that the export can be made
again.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, Literal

import msgspec

from turnlog.domain.counted import INCLUDE
from turnlog.errors import FormatError
from turnlog.serializers.formats import codec
from turnlog.serializers.shared.codec import Codec

By = Literal["conversation", "user"]

_PART = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_SEPARATORS = re.compile(r"[\s,]+")


class ExportPlan(msgspec.Struct, frozen=True):
    """position: of the log; later commits are not seen. ids: None for every conversation.

    split: parts and their shares. include: see `counted`. skip_faulty: name the conversations that
    must not be written and continue, instead of writing nothing. together: put near-duplicates into
    one part; older exports did not. leak_free: write nothing if users or texts are in more than one
    part. pinned: only the examples that a manifest names, in their files. pseudonyms: name
    conversations by pseudonyms instead of ids. redact: replace people too, and values that the log
    knows or that look personal; leave: slots and entities whose values stay. settings: the format's
    own.
    """

    format: str
    position: int
    ids: list[str] | None = None
    where: str | None = None
    split: dict[str, float] | None = None
    by: By = "conversation"
    include: list[str] = []
    skip_faulty: bool = False
    together: bool = False
    leak_free: bool = False
    pinned: bool = False
    pseudonyms: bool = False
    redact: bool = False
    leave: list[str] = []
    settings: dict[str, Any] = {}

    def __post_init__(self) -> None:
        for name in self.split or ():
            if not _PART.match(name):
                raise FormatError(f"{name!r} cannot be the name of a part", field="split")

    def codec(self) -> Codec:
        """The format's codec with its settings. Raises FormatError for what it cannot do."""
        made = codec(self.format, **self.settings)
        if not made.writes:
            raise FormatError(f"the format {self.format!r} cannot be written")
        for name in sorted(self.settings.keys() - made.settings):
            raise FormatError(f"unknown setting of the format {self.format!r}", field=f"--{name}")
        return made

    def files(self, out: Path) -> dict[str | None, Path]:
        """The file of each part, or of the whole under None; with parts `out` is their folder."""
        if self.split is None:
            return {None: out}
        suffix = self.codec().suffix
        return {part: out / f"{part}{suffix}" for part in self.split}


def parts(text: str) -> dict[str, float]:
    """The shares in `train=0.8,dev=0.1,test=0.1`; they add up to 1."""
    shares: dict[str, float] = {}
    for term in text.split(","):
        name, _, share = term.strip().partition("=")
        if not _PART.match(name) or name in shares:
            raise FormatError(f"{term!r} does not name a new part", field="--split")
        shares[name] = _share(share, term)
    if not math.isclose(sum(shares.values()), 1.0, abs_tol=1e-6):
        raise FormatError(f"the shares add up to {sum(shares.values()):g}, not 1", field="--split")
    return shares


def _share(text: str, term: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise FormatError(f"{term!r} does not give a share between 0 and 1", field="--split")
    return share


def included(text: str | None) -> list[str]:
    """What to include, in a fixed order."""
    wanted = {name for name in _SEPARATORS.split(text or "") if name}
    for name in sorted(wanted - set(INCLUDE)):
        known = ", ".join(INCLUDE)
        raise FormatError(f"{name!r} cannot be included; known: {known}", field="--include")
    return [name for name in INCLUDE if name in wanted]

"""Words that stay on record, which must not name the person concerned."""

from __future__ import annotations

import re
from collections.abc import Iterable

from turnlog.errors import InvalidEvent

_SHORTEST = 3
"""From this many characters on, a name is searched for."""


def check_words(names: Iterable[str], reason: str, actor: str) -> None:
    """Raise InvalidEvent for missing words, or for words that contain one of the names."""
    known = [re.escape(name) for name in names if len(name) >= _SHORTEST]
    for field, said in (("reason", reason), ("actor", actor)):
        if not isinstance(said, str) or not said.strip():
            raise InvalidEvent(None, field, "is missing; give one, which stays on record")
        if any(re.search(rf"(?<!\w){name}(?!\w)", said, re.IGNORECASE) for name in known):
            why = (
                "contains the name of the person concerned, and stays on record; leave the name out"
            )
            raise InvalidEvent(None, field, why)

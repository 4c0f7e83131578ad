"""Words that stay on record, which must not name whom they are about."""

from __future__ import annotations

import re
from collections.abc import Iterable

from turnlog.errors import InvalidEvent

_SHORTEST = 3
"""Characters of a name that is looked for."""


def check_words(names: Iterable[str], reason: str, actor: str) -> None:
    """Raise InvalidEvent where there are none, or where they hold one of the names as a word."""
    known = [re.escape(name) for name in names if len(name) >= _SHORTEST]
    for field, said in (("reason", reason), ("actor", actor)):
        if not isinstance(said, str) or not said.strip():
            raise InvalidEvent(None, field, "say one: it stays on record")
        if any(re.search(rf"(?<!\w){name}(?!\w)", said, re.IGNORECASE) for name in known):
            why = "names whom it is about, and stays on record: say it without the name"
            raise InvalidEvent(None, field, why)

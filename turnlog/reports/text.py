"""Text as people may safely see it, whoever wrote it."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from zoneinfo import ZoneInfo

from turnlog.domain.times import when as when

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = {"\u200c", "\u200d"}
_NO_CHARACTERS = {"\ufffe", "\uffff"}


def visible(text: str) -> str:
    """The text with control characters and direction overrides made visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    hidden = unicodedata.category(character) in _HIDDEN and character not in _JOINERS
    if hidden or character in _NO_CHARACTERS:
        return character.encode("unicode_escape").decode()
    return character


def cell(text: str) -> str:
    """The text for a cell of a table that a spreadsheet opens: no formula, no control character."""
    shown = visible(text)
    live = text[:1] in tuple("=+-@\t\r\n|") or shown.lstrip()[:1] in tuple("=+-@")
    return f"'{shown}" if text and live else shown


def file_name(id: str, suffix: str) -> str:
    """A file's name for a conversation: from its id's digest, never the id."""
    import hashlib

    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:32] + suffix


class Clockface:
    """How a page says times: in UTC, and in another zone beside it."""

    def __init__(self, zone: ZoneInfo | None = None) -> None:
        self.zone = zone

    @property
    def says(self) -> str:
        beside = f", and in {self.zone.key} beside it" if self.zone else ""
        return f"in UTC{beside}, with the zone behind each"

    def at(self, timestamp: float | None) -> str:
        """Nothing where there is no time."""
        if timestamp is None:
            return ""
        said = when(timestamp)
        if self.zone is None:
            return said
        try:
            local = datetime.fromtimestamp(timestamp, self.zone)
        except (ValueError, OverflowError, OSError):
            return said
        day = "" if f"{local:%Y-%m-%d}" == said[:10] else f"{local:%Y-%m-%d} "
        return f"{said} ({day}{local:%H:%M:%S %Z})"

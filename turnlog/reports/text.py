"""Makes text from any author safe to display."""

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
    """The text for a cell of a spreadsheet: no formula, no control character."""
    shown = visible(text)
    live = text[:1] in tuple("=+-@\t\r\n|") or shown.lstrip()[:1] in tuple("=+-@")
    return f"'{shown}" if text and live else shown


def file_name(id: str, suffix: str) -> str:
    """A file name for a conversation, from a digest of its id, which it does not reveal."""
    import hashlib

    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:32] + suffix


class Clockface:
    """Times on a page: in UTC, and next to it in another zone."""

    def __init__(self, zone: ZoneInfo | None = None) -> None:
        self.zone = zone

    @property
    def says(self) -> str:
        """How the page writes times, in words."""
        local = f", and in {self.zone.key} next to it" if self.zone else ""
        return f"in UTC{local}, each with its zone"

    def at(self, timestamp: float | None) -> str:
        """The time in words; an empty text for None."""
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

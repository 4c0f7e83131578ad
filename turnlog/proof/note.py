"""Signed notes (c2sp.org/signed-note): a text, a blank line, a line for each signature."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import NamedTuple, Self

from turnlog.errors import InvalidNote

KEY_ID_BYTES = 4
MOST_SIGNATURES = 100
_DASH = "\N{EM DASH} "


class Signature(NamedTuple):
    """name, id: of the key. signature: as its kind of key makes it."""

    name: str
    id: bytes
    signature: bytes

    def line(self) -> str:
        """The signature as a line of a note."""
        return f"{_DASH}{self.name} {encoded(self.id + self.signature)}\n"

    @classmethod
    def parse(cls, line: str) -> Self:
        """The signature in a line of a note, without its newline. Raises InvalidNote."""
        name, _, blob = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not is_name(name):
            raise InvalidNote(f"{line!r:.60} is not a signature line")
        whole = decoded(blob)
        if len(whole) <= KEY_ID_BYTES:
            raise InvalidNote(f"the signature of {name} is too short")
        return cls(name, whole[:KEY_ID_BYTES], whole[KEY_ID_BYTES:])


class Note(NamedTuple):
    """A text with its signatures. text: ends with a newline."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return f"{self.text}\n" + "".join(each.line() for each in self.signatures)

    def with_signatures(self, more: Iterable[Signature]) -> Note:
        """The note with more signatures. A new one replaces the one by the same key."""
        signed = {(each.name, each.id): each for each in (*self.signatures, *more)}
        return Note(self.text, tuple(signed.values()))

    @classmethod
    def parse(cls, content: bytes | str) -> Self:
        """The note in a file. Checks no signature. Raises InvalidNote."""
        text, blank, signed = _as_text(content).rpartition("\n\n")
        if not blank or not signed.endswith("\n"):
            raise InvalidNote("not a signed note: it needs a text, a blank line and signatures")
        lines = signed[:-1].split("\n")
        if len(lines) > MOST_SIGNATURES:
            raise InvalidNote(f"more than {MOST_SIGNATURES} signatures")
        return cls(f"{text}\n", tuple(map(Signature.parse, lines)))


def _as_text(content: bytes | str) -> str:
    try:
        text = content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError as error:
        raise InvalidNote("not UTF-8") from error
    if any(character < " " and character != "\n" for character in text):
        raise InvalidNote("contains control characters")
    return text


def is_name(name: str) -> bool:
    """Whether a key can have this name: no spaces, no control characters, no `+`."""
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name)


def encoded(content: bytes) -> str:
    """The bytes in base64."""
    return base64.b64encode(content).decode()


def decoded(text: str) -> bytes:
    """The bytes of base64 in its one canonical form. Raises InvalidNote."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content or encoded(content) != text:
        raise InvalidNote(f"{text!r:.60} is not base64")
    return content

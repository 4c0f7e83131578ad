"""Bytes stored next to the log's rows because they are many (ADR 13)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import BinaryIO

import msgspec

LARGE = 65_536
"""Bytes above which a value is stored apart from its row."""

HASHED_AT_ONCE = 1 << 20
_NAME = re.compile("[0-9a-f]{64}")


class Attachment(msgspec.Struct, frozen=True, array_like=True, dict=True, eq=False):
    """Replaces more than 64 kB in a field; equals bytes with the same content.

    name: 64 hexadecimal digits that reveal nothing. length: in bytes. type: the media type, if
    given. `bytes(attachment)` reads everything, `open()` as much as is asked for.
    """

    name: str
    length: int
    type: str | None = None

    def __post_init__(self) -> None:
        if self.length < 0 or not _NAME.fullmatch(self.name):
            raise ValueError("an attachment has 64 hexadecimal digits for a name, and a length")

    def opened_by(
        self,
        opened: Callable[[Attachment], BinaryIO],
        digest: bytes | None = None,
        ahead_of: str | None = None,
    ) -> Attachment:
        """The same attachment with a way to read it.

        digest: SHA-256 of its content, if known. ahead_of: the conversation that has not begun and
        for which it was attached.
        """
        bound = Attachment(self.name, self.length, self.type)
        vars(bound).update(opened=opened, digest=digest, ahead_of=ahead_of)
        return bound

    @property
    def digest(self) -> bytes | None:
        """SHA-256 of its content, if known without reading it."""
        return vars(self).get("digest")

    def is_ahead_of(self, conversation: str) -> bool:
        """Whether it was attached to a conversation before that began."""
        return vars(self).get("ahead_of") == conversation

    @property
    def is_bound(self) -> bool:
        """Whether it was read from a log, or attached to one."""
        return "opened" in vars(self)

    def open(self) -> BinaryIO:
        """A seekable binary file. Raises ValueError for an attachment that belongs to no log."""
        if not self.is_bound:
            raise ValueError(f"attachment {self.name[:16]}… was made by hand; open it with its log")
        file: BinaryIO = vars(self)["opened"](self)
        return file

    def sha256(self) -> bytes:
        """The digest of its content, which it reads a piece at a time."""
        with self.open() as file:
            return digest_of(file)[0]

    def __bytes__(self) -> bytes:
        with self.open() as file:
            return file.read()

    def __len__(self) -> int:
        return self.length

    def __eq__(self, other: object) -> bool:
        if isinstance(other, bytes):
            return self.length == len(other) and bytes(self) == other
        if not isinstance(other, Attachment) or self.length != other.length:
            return False
        both = self.is_bound and other.is_bound
        return self.name == other.name or (both and self.sha256() == other.sha256())

    def __hash__(self) -> int:
        return hash(bytes(self))


def digest_of(file: BinaryIO) -> tuple[bytes, int]:
    """SHA-256 of the rest of a file, and its length."""
    hashed, length = hashlib.sha256(), 0
    while piece := file.read(HASHED_AT_ONCE):
        hashed.update(piece)
        length += len(piece)
    return hashed.digest(), length

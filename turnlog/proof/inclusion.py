"""Proofs that an entry is in a log (c2sp.org/tlog-proof), which are checked without the log."""

from __future__ import annotations

from typing import Self

import msgspec

from turnlog.errors import InvalidNote, InvalidProof
from turnlog.proof.checkpoint import number
from turnlog.proof.merkle import HASH_BYTES
from turnlog.proof.note import Note, decoded, encoded

FIRST_LINE = "c2sp.org/tlog-proof@v1"


class InclusionProof(msgspec.Struct, frozen=True):
    """The path of one entry to the root of a checkpoint.

    extra: what the entry is computed from. index: of the entry. path: its sibling's hash first.
    note: signs the checkpoint.
    """

    extra: bytes
    index: int
    path: tuple[bytes, ...]
    note: Note

    def __str__(self) -> str:
        extra = [f"extra {encoded(self.extra)}"] if self.extra else []
        lines = [FIRST_LINE, *extra, f"index {self.index}", *map(encoded, self.path), ""]
        return "\n".join(lines) + f"\n{self.note}"

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """The proof in a file's bytes. Raises InvalidProof."""
        try:
            head, blank, note = content.decode().partition("\n\n")
            lines = head.split("\n")
            if not blank or lines.pop(0) != FIRST_LINE:
                raise InvalidProof(f"not a proof: it does not begin with {FIRST_LINE}")
            extra = decoded(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else b""
            if not lines or not lines[0].startswith("index "):
                raise InvalidProof("not a proof: it has no index")
            index = number(lines.pop(0).removeprefix("index "))
            path = tuple(map(decoded, lines))
            if any(len(hash) != HASH_BYTES for hash in path):
                raise InvalidProof("a hash of its path has the wrong length")
            return cls(extra, index, path, Note.parse(note))
        except (InvalidNote, UnicodeDecodeError) as error:
            raise InvalidProof(str(error)) from error

"""Checkpoints (c2sp.org/tlog-checkpoint): a log's size and root."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from turnlog.errors import InvalidNote
from turnlog.proof.keys import PLAIN, Signer, Verifier
from turnlog.proof.merkle import HASH_BYTES
from turnlog.proof.note import Note, decoded, encoded, is_name

_ORIGIN = "turnlog/"


class LogCheckpoint(NamedTuple):
    """origin: which log. size: the number of its leaves. root: the tree's root over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{encoded(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The first three lines of a note's text; further lines are ignored. Raises InvalidNote."""
        lines = text.split("\n")
        if len(lines) < 4 or not all(lines[:-1]):
            raise InvalidNote("not a checkpoint: it needs origin, size and root, one line each")
        origin, size, root = lines[:3]
        if not is_name(origin):
            raise InvalidNote(f"origin {origin!r:.60} contains spaces or +")
        made = cls(origin, number(size), decoded(root))
        if len(made.root) != HASH_BYTES:
            raise InvalidNote(f"its root has {len(made.root)} bytes, not {HASH_BYTES}")
        return made


def number(text: str) -> int:
    """A decimal number without leading zeros. Raises InvalidNote."""
    if not (text.isascii() and text.isdigit() and len(text) < 20) or str(int(text)) != text:
        raise InvalidNote(f"{text!r:.40} is not a decimal number")
    return int(text)


def origin_of(log_id: bytes) -> str:
    """The origin of the log with this id: `turnlog/` and the id in hex."""
    return _ORIGIN + log_id.hex()


def log_id_in(origin: str) -> bytes:
    """The id in a log's origin. Raises InvalidNote for an origin of another kind."""
    name = origin.removeprefix(_ORIGIN)
    try:
        log_id = bytes.fromhex(name)
    except ValueError:
        log_id = b""
    if not log_id or origin_of(log_id) != origin:
        raise InvalidNote(f"{origin!r:.60} is not the origin of a turnlog log")
    return log_id


# --- signed -------------------------------------------------------------------------------------


class SignedCheckpoint(NamedTuple):
    """A checkpoint whose signatures were checked.

    signers: names of the passed keys that signed it. times: when the witnesses among them signed,
    UTC seconds.
    """

    checkpoint: LogCheckpoint
    note: Note
    signers: tuple[str, ...]
    times: tuple[int, ...]


def signed(
    checkpoint: LogCheckpoint, signers: Sequence[Signer], clock: Callable[[], float]
) -> Note:
    """The checkpoint as a note with a signature by each signer."""
    text = checkpoint.text()
    return Note(text, ()).with_signatures(signer.sign(text, clock) for signer in signers)


def checked(note: Note, verifiers: Sequence[Verifier]) -> SignedCheckpoint:
    """A checkpoint that a passed log key has signed, and a passed witness key if there is one.

    Raises InvalidNote if such a signature is missing or invalid.
    """
    checkpoint = LogCheckpoint.parse(note.text)
    signers = [each for each in verifiers if _has_signed(note, each)]
    kinds = {verifier.kind for verifier in verifiers}
    if missing := kinds - {signer.kind for signer in signers}:
        whose = "of a log" if PLAIN in missing else "of a witness"
        tried = ", ".join(each.name for each in verifiers if each.kind in missing)
        raise InvalidNote(f"not signed by a key {whose}; tried: {tried}")
    times = [
        time
        for verifier in signers
        for each in note.signatures
        if (each.name, each.id) == (verifier.name, verifier.id)
        and (time := verifier.time_of(each.signature)) is not None
    ]
    names = dict.fromkeys(signer.name for signer in signers)
    return SignedCheckpoint(checkpoint, note, tuple(names), tuple(times))


def _has_signed(note: Note, verifier: Verifier) -> bool:
    """Whether the key has signed. Raises InvalidNote for an invalid signature by it."""
    found = [s for s in note.signatures if (s.name, s.id) == (verifier.name, verifier.id)]
    if not all(verifier.has_signed(note.text, each.signature) for each in found):
        raise InvalidNote(f"the signature of {verifier.name} is invalid: it was changed")
    return bool(found)

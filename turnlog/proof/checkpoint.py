"""Checkpoints (c2sp.org/tlog-checkpoint): what a log was at one size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from turnlog.errors import InvalidNote
from turnlog.proof.keys import PLAIN, Signer, Verifier
from turnlog.proof.merkle import HASH_BYTES
from turnlog.proof.note import Note, decoded, encoded, is_name

_ORIGIN = "turnlog/"


class LogCheckpoint(NamedTuple):
    """origin: which log. size: how many leaves. root: over them."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{encoded(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InvalidNote; lines behind the three are somebody else's affair."""
        lines = text.split("\n")
        if len(lines) < 4 or not all(lines[:-1]):
            raise InvalidNote("it is no checkpoint: origin, size and root, a line each")
        origin, size, root = lines[:3]
        if not is_name(origin):
            raise InvalidNote(f"origin {origin!r:.60} has spaces or +")
        made = cls(origin, number(size), decoded(root))
        if len(made.root) != HASH_BYTES:
            raise InvalidNote(f"its root has {len(made.root)} bytes, not {HASH_BYTES}")
        return made


def number(text: str) -> int:
    """A decimal number without zeros before it. Raises InvalidNote."""
    if not (text.isascii() and text.isdigit() and len(text) < 20) or str(int(text)) != text:
        raise InvalidNote(f"{text!r:.40} is no decimal number")
    return int(text)


def origin_of(log_id: bytes) -> str:
    return _ORIGIN + log_id.hex()


def log_id_in(origin: str) -> bytes:
    """Raises InvalidNote for the origin of what is no log of ours."""
    name = origin.removeprefix(_ORIGIN)
    try:
        log_id = bytes.fromhex(name)
    except ValueError:
        log_id = b""
    if not log_id or origin_of(log_id) != origin:
        raise InvalidNote(f"{origin!r:.60} is not the origin of a turnlog")
    return log_id


# --- signed -------------------------------------------------------------------------------------


class SignedCheckpoint(NamedTuple):
    """signers: names of the keys given that signed it. times: when the witnesses among them did."""

    checkpoint: LogCheckpoint
    note: Note
    signers: tuple[str, ...]
    times: tuple[int, ...]


def signed(
    checkpoint: LogCheckpoint, signers: Sequence[Signer], clock: Callable[[], float]
) -> Note:
    text = checkpoint.text()
    return Note(text, ()).with_signatures(signer.sign(text, clock) for signer in signers)


def checked(note: Note, verifiers: Sequence[Verifier]) -> SignedCheckpoint:
    """A checkpoint that one of the keys has signed, and a witness's key if one was given.

    Raises InvalidNote, too where a signature by one of them does not hold.
    """
    checkpoint = LogCheckpoint.parse(note.text)
    signers = [each for each in verifiers if _has_signed(note, each)]
    kinds = {verifier.kind for verifier in verifiers}
    if missing := kinds - {signer.kind for signer in signers}:
        whose = "of a log" if PLAIN in missing else "of a witness"
        tried = ", ".join(each.name for each in verifiers if each.kind in missing)
        raise InvalidNote(f"none of the keys {whose} has signed it: {tried}")
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
    """Raises InvalidNote for a signature by that key that does not hold."""
    found = [s for s in note.signatures if (s.name, s.id) == (verifier.name, verifier.id)]
    if not all(verifier.has_signed(note.text, each.signature) for each in found):
        raise InvalidNote(f"the signature of {verifier.name} does not hold: it was changed")
    return bool(found)

"""A witness (c2sp.org/tlog-witness): it cosigns a head that continues from the last one it saw.

Its folder contains the public keys of the logs, `*.pub`, and for each log `HASH/checkpoint`, the
last head that it cosigned. HASH is SHA-256 of the origin, in hex. A log is known from its first
head on. Each later head must be signed by a key that signed the one before; a new key takes over by
signing together with the old one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Self

from turnlog.errors import InvalidKey, InvalidNote, TurnlogError
from turnlog.proof import merkle
from turnlog.proof.checkpoint import LogCheckpoint, number
from turnlog.proof.folder import locked, write_durably
from turnlog.proof.keys import COSIGNATURE, PLAIN, Signer, Verifier, verifiers_in
from turnlog.proof.note import Note, Signature, decoded, encoded

MOST_HASHES = 63


class CosigningRefused(TurnlogError):
    """Why a head was not cosigned.

    status: of HTTP. size: of the last cosigned head, if the request assumed another.
    """

    def __init__(self, status: int, why: str, size: int | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.size = size


class Submission(NamedTuple):
    """A head to be cosigned. old: the size that it continues from. path: proves that it does."""

    old: int
    path: tuple[bytes, ...]
    note: Note

    def __str__(self) -> str:
        lines = [f"old {self.old}", *map(encoded, self.path), ""]
        return "\n".join(lines) + f"\n{self.note}"

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """The body of a request. Raises InvalidNote."""
        try:
            head, blank, note = content.decode().partition("\n\n")
        except UnicodeDecodeError as error:
            raise InvalidNote("not UTF-8") from error
        old, *hashes = head.split("\n")
        if not blank or not old.startswith("old ") or len(hashes) > MOST_HASHES:
            raise InvalidNote("does not begin with the old size and at most 63 hashes")
        return cls(number(old[4:]), tuple(map(decoded, hashes)), Note.parse(note))


def hash_of(origin: str) -> str:
    """The name of a log's folder: SHA-256 of its origin, in hex."""
    return sha256(origin.encode()).hexdigest()


class Witness:
    """Cosigns heads. Safe to use from several threads and processes.

    Raises InvalidKey if a signer is not a witness's key.
    """

    def __init__(self, folder: Path, signers: Sequence[Signer], clock: Callable[[], float]) -> None:
        self._folder = folder
        self._signers = signers
        self._clock = clock
        self._mutex = threading.Lock()
        if any(signer.verifier.kind != COSIGNATURE for signer in signers):
            raise InvalidKey("a witness needs a key made by `keygen --witness`")

    def cosign(self, content: bytes) -> tuple[Signature, ...]:
        """The cosignatures of a head that continues from the last one; durable on return.

        Raises CosigningRefused.
        """
        try:
            asked = Submission.parse(content)
            head = LogCheckpoint.parse(asked.note.text)
        except InvalidNote as error:
            raise CosigningRefused(400, str(error)) from error
        with self._locked():
            known = self._known(head.origin)
            signed = self._signed_by_log(asked.note, known)
            if asked.old > head.size:
                raise CosigningRefused(
                    400, f"old size {asked.old} is larger than the head's, {head.size}"
                )
            self._check_continues(asked, head, known)
            made = tuple(signer.sign(asked.note.text, self._clock) for signer in self._signers)
            kept = Note(asked.note.text, signed).with_signatures(made)
            self._write(head.origin, "checkpoint", kept)
        return made

    def newest(self, hash: str) -> Note | None:
        """The last cosigned head of a log; None for an unknown log. hash: `hash_of` its origin."""
        try:
            return Note.parse((self._folder / hash / "checkpoint").read_bytes())
        except FileNotFoundError:
            return None

    def size(self, origin: str) -> int:
        """The size of the last cosigned head of a log; 0 for an unknown log."""
        note = self._known(origin)
        return 0 if note is None else LogCheckpoint.parse(note.text).size

    def _known(self, origin: str) -> Note | None:
        return self.newest(hash_of(origin))

    def _verifiers(self) -> list[Verifier]:
        every = [key for file in sorted(self._folder.glob("*.pub")) for key in verifiers_in(file)]
        return [key for key in every if key.kind == PLAIN]

    def _signed_by_log(self, note: Note, known: Note | None) -> tuple[Signature, ...]:
        """The signatures by keys of the log. Raises CosigningRefused if none may sign for it."""
        keys = {(key.name, key.id): key for key in self._verifiers()}
        signed = [s for s in note.signatures if (s.name, s.id) in keys]
        for each in signed:
            if not keys[each.name, each.id].has_signed(note.text, each.signature):
                raise CosigningRefused(403, f"the signature of {each.name} is invalid")
        if known is None and not signed:
            raise CosigningRefused(404, "unknown log, and no known key has signed the head")
        before = {(s.name, s.id) for s in known.signatures} if known else keys.keys()
        if not any((s.name, s.id) in before for s in signed):
            raise CosigningRefused(403, "no key that signed the last head has signed this one")
        return tuple(signed)

    def _check_continues(self, asked: Submission, head: LogCheckpoint, known: Note | None) -> None:
        last = LogCheckpoint.parse(known.text) if known else LogCheckpoint(head.origin, 0, b"")
        if asked.old != last.size:
            raise CosigningRefused(409, f"the last head has size {last.size}", last.size)
        root = last.root or merkle.root(lambda level, index: b"", 0)
        if head.size == 0 and head.root != root:
            raise CosigningRefused(422, "not the root of an empty log")
        if not merkle.is_consistent(last.size, head.size, root, head.root, asked.path):
            self._write(head.origin, f"refused-{head.size}-{head.root.hex()[:16]}", asked.note)
            raise CosigningRefused(
                422, f"does not continue from the last head, of size {last.size}"
            )

    def _write(self, origin: str, name: str, note: Note) -> None:
        write_durably(self._folder / hash_of(origin) / name, str(note).encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._mutex, locked(self._folder):
            yield

"""Ed25519 keys that sign notes, and those that verify them.

A log's key signs the note's text. A witness's key signs the text with the time, and so confirms
that the log grew consistently (c2sp.org/tlog-cosignature). Private keys have the form of Go's note
package.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from turnlog.errors import InvalidKey, InvalidNote
from turnlog.extras import needed
from turnlog.proof.note import KEY_ID_BYTES, Signature, decoded, encoded, is_name

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PLAIN, COSIGNATURE = 1, 4
_KEY_BYTES = 32
_TIME_BYTES = 8
_PRIVATE = "PRIVATE+KEY+"


def _private(seed: bytes) -> Ed25519PrivateKey:
    with needed("proof", "signing heads"):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    return Ed25519PrivateKey.from_private_bytes(seed)


class Verifier(NamedTuple):
    """A public key. kind: PLAIN or COSIGNATURE. key: 32 bytes."""

    name: str
    kind: int
    key: bytes

    @property
    def id(self) -> bytes:
        """The key's id: 4 bytes, computed from its name, kind and bytes."""
        said = self.name.encode() + b"\n" + bytes([self.kind]) + self.key
        return sha256(said).digest()[:KEY_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encoded(bytes([self.kind]) + self.key)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key in a line NAME+ID+KEY. Raises InvalidKey."""
        name, id, material = _parts(text)
        made = cls(name, material[0], material[1:])
        if id != made.id.hex():
            raise InvalidKey("damaged: its id does not match the key")
        return made

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Whether the signature is the key's, for this text."""
        with needed("proof", "checking heads"):
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        time, signed = self._split(signature)
        try:
            public = Ed25519PublicKey.from_public_bytes(self.key)
            public.verify(signed, _message(text, time))
        except InvalidSignature:
            return False
        return True

    def _split(self, signature: bytes) -> tuple[int | None, bytes]:
        """The time of signing, if the kind has one, and the signature proper."""
        if self.kind == PLAIN:
            return None, signature
        return int.from_bytes(signature[:_TIME_BYTES], "big"), signature[_TIME_BYTES:]

    def time_of(self, signature: bytes) -> int | None:
        """When the signer says that it signed, UTC seconds; None for PLAIN keys."""
        return self._split(signature)[0]


class Signer(NamedTuple):
    """A private key."""

    verifier: Verifier
    seed: bytes

    def sign(self, text: str, clock: Callable[[], float]) -> Signature:
        """The signature of a text. A witness's key adds the clock's time, in UTC seconds."""
        private, verifier = _private(self.seed), self.verifier
        if verifier.kind == PLAIN:
            return Signature(verifier.name, verifier.id, private.sign(_message(text, None)))
        now = int(clock())
        signed = now.to_bytes(_TIME_BYTES, "big") + private.sign(_message(text, now))
        return Signature(verifier.name, verifier.id, signed)

    def __str__(self) -> str:
        verifier = self.verifier
        material = encoded(bytes([verifier.kind]) + self.seed)
        return f"{_PRIVATE}{verifier.name}+{verifier.id.hex()}+{material}"

    @classmethod
    def of(cls, name: str, kind: int, seed: bytes) -> Self:
        """The key made from 32 random bytes, which must stay secret.

        Raises InvalidKey for the name.
        """
        if not is_name(name):
            raise InvalidKey(f"name {name!r}: a key's name contains no spaces and no +")
        public = _private(seed).public_key().public_bytes_raw()
        return cls(Verifier(name, kind, public), seed)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key in a line PRIVATE+KEY+NAME+ID+KEY. Raises InvalidKey."""
        if not text.startswith(_PRIVATE):
            raise InvalidKey(f"not a private key: it does not begin with {_PRIVATE}")
        name, id, material = _parts(text.removeprefix(_PRIVATE))
        made = cls.of(name, material[0], material[1:])
        if id != made.verifier.id.hex():
            raise InvalidKey("damaged: its id does not match the key")
        return made


def _message(text: str, time: int | None) -> bytes:
    stamp = "" if time is None else f"cosignature/v1\ntime {time}\n"
    return f"{stamp}{text}".encode()


def _parts(text: str) -> tuple[str, str, bytes]:
    """Name, id in hex, and kind with key. Raises InvalidKey."""
    name, _, rest = text.partition("+")
    id, _, material = rest.partition("+")
    try:
        key = decoded(material)
    except InvalidNote:
        key = b""
    if not is_name(name) or len(key) != 1 + _KEY_BYTES or key[0] not in (PLAIN, COSIGNATURE):
        raise InvalidKey("not an Ed25519 key NAME+ID+KEY of a log or a witness")
    return name, id, key


# --- files --------------------------------------------------------------------------------------


def write_pair(path: Path, signer: Signer) -> Path:
    """Writes a private key, and next to it the public one. The value is the public key's path.

    Raises InvalidKey, and writes nothing, if one of the two files exists.
    """
    public = path.with_name(f"{path.name}.pub")
    for file in (path, public):
        if file.exists():
            raise InvalidKey(f"{file}: file already exists; no key is overwritten")
    try:
        _write_new(path, f"{signer}\n", 0o600)
        _write_new(public, f"{signer.verifier}\n", 0o644)
    except OSError as error:
        raise InvalidKey(f"{error.filename}: {error.strerror}") from error
    return public


def _write_new(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def signer_in(path: Path) -> Signer:
    """The private key in a file. Raises InvalidKey, naming the file."""
    text = _read(path).strip()
    try:
        return Signer.parse(text)
    except InvalidKey as error:
        raise InvalidKey(f"{path}: {error}") from error


def verifiers_in(path: Path) -> list[Verifier]:
    """The public keys in a file, one a line. Raises InvalidKey, naming the file."""
    lines = [line.strip() for line in _read(path).splitlines()]
    named = [line for line in lines if line and not line.startswith("#")]
    try:
        found = [Verifier.parse(line) for line in named]
    except InvalidKey as error:
        raise InvalidKey(f"{path}: {error}") from error
    if not found:
        raise InvalidKey(f"{path}: contains no key")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidKey(f"{path}: not UTF-8") from error
    except OSError as error:
        raise InvalidKey(f"{path}: {error.strerror}") from error

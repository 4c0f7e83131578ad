"""What wraps the data key of a key store: nothing, a file, or a service found by entry point."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from turnlog.errors import StorageError
from turnlog.keys.cipher import KEY_BYTES, Cipher

GROUP = "turnlog.kms"
"""The entry points of packages that bring one: a class that takes an address."""


class Kms(Protocol):
    """Wraps and unwraps keys of 32 bytes. Raises StorageError for what is not its own."""

    def wrap(self, key: bytes) -> bytes: ...

    def unwrap(self, wrapped: bytes) -> bytes: ...


class NoKms:
    """The data key stands in the store as it is: whoever can read the file has the keys."""

    def wrap(self, key: bytes) -> bytes:
        return key

    def unwrap(self, wrapped: bytes) -> bytes:
        if len(wrapped) != KEY_BYTES:
            raise StorageError("its data key is wrapped by a KMS: ?kms=NAME:ADDRESS says which")
        return wrapped


class FileKms:
    """A key in a file, on a disk or in a secret of its own; made where there is none."""

    def __init__(self, address: str) -> None:
        self._path = Path(address)

    def wrap(self, key: bytes) -> bytes:
        if not self._path.exists():
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(os.urandom(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
        return self._cipher().seal(key, b"data key")

    def unwrap(self, wrapped: bytes) -> bytes:
        if (key := self._cipher().opened(wrapped, b"data key")) is None:
            raise StorageError(f"{self._path}: it is not the key that the data key was wrapped by")
        return key

    def _cipher(self) -> Cipher:
        try:
            key = self._path.read_bytes()
        except OSError as error:
            raise StorageError(f"{self._path}: the key cannot be read: {error}") from error
        if len(key) != KEY_BYTES:
            raise StorageError(f"{self._path}: a key has {KEY_BYTES} bytes, not {len(key)}")
        return Cipher(key)


def kms(named: str | None) -> Kms:
    """`file:PATH`, or `NAME:ADDRESS` of one that is installed; None for none."""
    if named is None:
        return NoKms()
    name, _, address = named.partition(":")
    if name == "file":
        return FileKms(address)
    for found in entry_points(group=GROUP, name=name):
        made: Kms = found.load()(address)
        return made
    raise StorageError(f"kms={named}: no KMS {name!r} is installed, but 'file' is there always")

"""What wraps the data key of a key store: nothing, a file, or a service found by entry point."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

from turnlog.errors import StorageError
from turnlog.keys.cipher import KEY_BYTES, Cipher

GROUP = "turnlog.kms"
"""The entry point group in which packages register a KMS: a class that takes an address."""


class Kms(Protocol):
    """Wraps and unwraps keys of 32 bytes."""

    def wrap(self, key: bytes) -> bytes:
        """The key, encrypted so that only this KMS can unwrap it."""
        ...

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key that was wrapped. Raises StorageError if this KMS did not wrap it."""
        ...


class NoKms:
    """Stores the data key as it is: anyone who can read the store has the keys."""

    def wrap(self, key: bytes) -> bytes:
        """The key unchanged."""
        return key

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key unchanged. Raises StorageError for any other length: a KMS wrapped it."""
        if len(wrapped) != KEY_BYTES:
            raise StorageError("its data key is wrapped by a KMS; name it with ?kms=NAME:ADDRESS")
        return wrapped


class FileKms:
    """Wraps with a key in a file, on another disk or in a mounted secret."""

    def __init__(self, address: str) -> None:
        self._path = Path(address)

    def wrap(self, key: bytes) -> bytes:
        """The key, sealed. Makes a missing key file, readable by its owner only."""
        if not self._path.exists():
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as file:
                file.write(os.urandom(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
        return self._cipher().seal(key, b"data key")

    def unwrap(self, wrapped: bytes) -> bytes:
        """The key, opened. Raises StorageError if the file contains another key."""
        if (key := self._cipher().opened(wrapped, b"data key")) is None:
            raise StorageError(f"{self._path}: the data key was wrapped by another key")
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
    """The KMS that `file:PATH` or `NAME:ADDRESS` names; `NoKms` for None.

    Raises StorageError if no package provides NAME.
    """
    if named is None:
        return NoKms()
    name, _, address = named.partition(":")
    if name == "file":
        return FileKms(address)
    for found in entry_points(group=GROUP, name=name):
        made: Kms = found.load()(address)
        return made
    how = "use file:PATH, or install the package that provides it"
    raise StorageError(f"kms={named}: no KMS {name!r} is installed; {how}")

"""Sealing and opening with AES-GCM-SIV, under a key derived from the keys of all subjects."""

from __future__ import annotations

import os
from collections.abc import Sequence

from turnlog.extras import needed

with needed("keys", "A sealed log"):
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16


class Cipher:
    """Seals and opens with one key.

    Nonces are random; a repeated one reveals at most that two plaintexts are equal.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCMSIV(key)

    def seal(self, said: bytes, place: bytes) -> bytes:
        """A random nonce, then the ciphertext. It opens only with the same `place`."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, said, place)

    def opened(self, sealed: bytes, place: bytes) -> bytes | None:
        """The plaintext; None if `sealed` was not sealed by this key for this place."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (InvalidTag, ValueError):
            return None


def cipher_of(keys: Sequence[bytes]) -> Cipher:
    """The cipher of all keys together. Their order matters."""
    derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=b"turnlog part").derive(b"".join(keys))
    return Cipher(derived)

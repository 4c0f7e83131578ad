"""Timestamps of heads (RFC 3161): an authority says that a head was there at a time.

What is stamped is the text that is signed. The answer is kept beside the note, as `NOTE.tsr`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from turnlog.errors import InvalidKey, InvalidNote, ProofError
from turnlog.extras import needed
from turnlog.proof.witness_client import posted

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_QUERY = "application/timestamp-query"


def beside(note: Path) -> Path:
    return note.with_name(f"{note.name}.tsr")


def stamped(url: str, text: str) -> bytes:
    """The answer of a timestamp authority. Raises ProofError where it gives none."""
    with needed("proof", "timestamps"):
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response
    builder = TimestampRequestBuilder().data(text.encode()).hash_algorithm(HashAlgorithm.SHA256)
    status, body = posted(url, builder.build().as_bytes(), _QUERY)
    try:
        granted = status == 200 and decode_timestamp_response(body).status == 0
    except ValueError as error:
        raise ProofError(f"{url}: what it answers is no timestamp: {error}") from error
    if not granted:
        raise ProofError(f"{url}: no timestamp is granted: {status}")
    return body


def certificates_in(path: Path) -> list[Certificate]:
    """Of authorities that are believed, a PEM file. Raises InvalidKey, naming the file."""
    with needed("proof", "timestamps"):
        from cryptography.x509 import load_pem_x509_certificates
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except ValueError as error:
        raise InvalidKey(f"{path}: it has no certificates: {error}") from error
    except OSError as error:
        raise InvalidKey(f"{path}: {error.strerror}") from error


def time_of(answer: bytes, text: str, roots: Sequence[Certificate]) -> int:
    """When the text was there, UTC seconds. Raises InvalidNote where the timestamp does not say."""
    with needed("proof", "timestamps"):
        from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
    try:
        stamp = decode_timestamp_response(answer)
        verifier = VerifierBuilder(roots=[*roots]).build()
        verifier.verify_message(stamp, text.encode())
        return int(stamp.tst_info.gen_time.timestamp())
    except (VerificationError, ValueError) as error:
        raise InvalidNote(f"its timestamp does not hold: {error}") from error

"""Timestamps of heads (RFC 3161): an authority confirms that a head existed at a time.

The signed text is stamped. The authority's answer is stored next to the note, as `NOTE.tsr`.
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
    """The file of a note's timestamp."""
    return note.with_name(f"{note.name}.tsr")


def stamped(url: str, text: str) -> bytes:
    """A timestamp authority's answer. Raises ProofError if it grants no timestamp."""
    with needed("proof", "timestamps"):
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response
    builder = TimestampRequestBuilder().data(text.encode()).hash_algorithm(HashAlgorithm.SHA256)
    status, body = posted(url, builder.build().as_bytes(), _QUERY)
    try:
        granted = status == 200 and decode_timestamp_response(body).status == 0
    except ValueError as error:
        raise ProofError(f"{url}: the answer is not a timestamp: {error}") from error
    if not granted:
        raise ProofError(f"{url}: the timestamp was refused: {status}")
    return body


def certificates_in(path: Path) -> list[Certificate]:
    """The certificates of trusted authorities in a PEM file. Raises InvalidKey, naming the file."""
    with needed("proof", "timestamps"):
        from cryptography.x509 import load_pem_x509_certificates
    try:
        return load_pem_x509_certificates(path.read_bytes())
    except ValueError as error:
        raise InvalidKey(f"{path}: no certificates: {error}") from error
    except OSError as error:
        raise InvalidKey(f"{path}: {error.strerror}") from error


def time_of(answer: bytes, text: str, roots: Sequence[Certificate]) -> int:
    """When the text existed, UTC seconds. Raises InvalidNote if the timestamp does not prove it."""
    with needed("proof", "timestamps"):
        from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
    try:
        stamp = decode_timestamp_response(answer)
        verifier = VerifierBuilder(roots=[*roots]).build()
        verifier.verify_message(stamp, text.encode())
        return int(stamp.tst_info.gen_time.timestamp())
    except (VerificationError, ValueError) as error:
        raise InvalidNote(f"its timestamp is invalid: {error}") from error

"""Finds stored heads: in a note, a folder of heads, a witness's folder, or under a URL of them."""

from __future__ import annotations

from pathlib import Path

from turnlog.errors import ProofError
from turnlog.proof.note import Note
from turnlog.proof.witness import hash_of
from turnlog.proof.witness_client import is_url, newest


def kept(place: str, origin: str) -> Note | None:
    """The newest head of a log at a place; None if the place has none.

    Raises ProofError if the place cannot be read, InvalidNote if it contains something else.
    """
    content = newest(place, origin) if is_url(place) else _in_files(Path(place), origin)
    return None if content is None else Note.parse(content)


def _in_files(place: Path, origin: str) -> bytes | None:
    files = (place, place / hash_of(origin) / "checkpoint", place / "checkpoint")
    try:
        return next((file.read_bytes() for file in files if file.is_file()), None)
    except OSError as error:
        raise ProofError(f"{error.filename}: {error.strerror}") from error

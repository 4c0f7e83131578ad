"""Asks a witness over HTTP for cosignatures, and reads its heads."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from turnlog.errors import InvalidNote, ProofError, Rewritten
from turnlog.proof.checkpoint import LogCheckpoint, number
from turnlog.proof.note import Note, Signature
from turnlog.proof.witness import Submission, hash_of

TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 1_000_000
MOST_ADDED = 10
"""The most cosignatures taken from one witness."""

Consistency = Callable[[int], list[bytes]]
"""The path that proves that a head continues the one of an earlier size."""


def is_url(place: str) -> bool:
    """Whether a place is an HTTP URL; otherwise it is a path."""
    return place.startswith(("http://", "https://"))


def cosigned(url: str, note: Note, consistency: Consistency, last: int = 0) -> Note:
    """The head with the witness's cosignatures. last: the size that it has probably seen.

    Raises Rewritten if the witness has seen another log or a longer one, ProofError if it does not
    answer or refuses the head.
    """
    size, old = LogCheckpoint.parse(note.text).size, last
    for _ in range(3):  # another client may come between
        if old > size:
            what = f"the witness has cosigned a head of size {old}, the log has {size}"
            raise Rewritten(f"{url}: {what}", size - 1)
        asked = Submission(old, tuple(consistency(old)), note)
        status, body = _asked(f"{url.rstrip('/')}/add-checkpoint", str(asked).encode())
        if status == 200:
            return _with_cosignatures(url, note, body)
        if status == 422:
            what = f"the log does not continue from the head of size {old}, which it cosigned"
            raise Rewritten(f"{url}: the witness refuses: {what}")
        if status != 409:
            raise ProofError(f"{url}: the witness refuses the head: {status} {_line(body)}")
        old = _size(url, body)
    raise ProofError(f"{url}: the witness names another last size each time")


def _with_cosignatures(url: str, note: Note, body: bytes) -> Note:
    """The note with the cosignatures, none of which replaces a signature of the note."""
    existing = {(each.name, each.id) for each in note.signatures}
    try:
        made = [Signature.parse(line) for line in body.decode(errors="replace").splitlines()]
        added = [each for each in made[:MOST_ADDED] if (each.name, each.id) not in existing]
        return Note.parse(str(note.with_signatures(added)))
    except InvalidNote as error:
        raise ProofError(f"{url}: the witness's answer is not a cosignature: {error}") from error


def _size(url: str, body: bytes) -> int:
    try:
        return number(body.decode(errors="replace").removesuffix("\n"))
    except InvalidNote as error:
        raise ProofError(f"{url}: the witness does not say what it saw last: {error}") from error


def _line(body: bytes) -> str:
    return body.decode(errors="replace").strip()[:200]


def newest(url: str, origin: str) -> bytes | None:
    """The head of a log at a witness, or in a folder of heads under a URL; None without one."""
    kept = fetched(url, f"{hash_of(origin)}/checkpoint")
    return fetched(url, "checkpoint") if kept is None else kept


def fetched(url: str, path: str) -> bytes | None:
    """The body at a path under a URL; None for 404. Raises ProofError."""
    status, body = _asked(f"{url.rstrip('/')}/{path}", None)
    if status not in (200, 404):
        raise ProofError(f"{url}: {status} {_line(body)}")
    return body if status == 200 else None


def posted(url: str, body: bytes, kind: str) -> tuple[int, bytes]:
    """Status and body of the answer to a POST. Raises ProofError without an answer."""
    return _asked(url, body, kind)


def _asked(
    url: str, body: bytes | None, kind: str = "text/plain; charset=utf-8"
) -> tuple[int, bytes]:
    headers = {"Content-Type": kind} if body is not None else {}
    try:
        request = Request(url, body, headers)
        with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return answer.status, answer.read(_MOST_BYTES)
    except HTTPError as error:
        with error:
            return error.code, error.read(_MOST_BYTES)
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise ProofError(f"{url}: {getattr(error, 'reason', None) or error}") from error

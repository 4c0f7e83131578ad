"""Compares a log with the head that someone else keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from turnlog.encoding.rows import log_id_in
from turnlog.errors import InvalidNote, ProofError, StorageError
from turnlog.projections.gate import Gate
from turnlog.projections.witnessed import WitnessedRecorder
from turnlog.proof.checkpoint import LogCheckpoint, checked, origin_of
from turnlog.proof.keeping import kept
from turnlog.proof.keys import Verifier
from turnlog.proof.note import Note
from turnlog.storage.recorder import Recorder


def witnessed(recorder: Recorder, place: str, verifiers: Sequence[str]) -> Recorder:
    """A recorder that checks each row it reads against the newest head at a place.

    Raises Rewritten if the log is a different one, ProofError if the place has no head of a log
    that is not empty.
    """
    origin = origin_of(log_id_in(recorder.genesis.skeleton))
    note = kept(place, origin)
    if note is None:
        if recorder.reader.last_position():
            what = f"no head is kept there of the log {origin}"
            raise ProofError(f"{place}: {what}; sign the first with `turnlog head`")
        return recorder
    try:
        head, time = _head(note, [Verifier.parse(text) for text in verifiers])
        return cast(Recorder, WitnessedRecorder(recorder, Gate(recorder, head, time)))
    except InvalidNote as error:
        raise InvalidNote(f"{place}: {error}") from error
    except StorageError as error:
        error.args = (f"{recorder.url}: {error}",)
        raise


def _head(note: Note, verifiers: Sequence[Verifier]) -> tuple[LogCheckpoint, int | None]:
    """The signed head, and its time, if a witness's key is among the given ones."""
    if not verifiers:
        return LogCheckpoint.parse(note.text), None
    signed = checked(note, verifiers)
    return signed.checkpoint, max(signed.times, default=None)

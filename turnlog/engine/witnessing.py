"""A log held against the head that somebody else keeps of it."""

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
    """The recorder, which reads what the newest head at a place was signed of.

    Raises Rewritten where the log is another one, ProofError where no head of it is kept there and
    it is not empty.
    """
    origin = origin_of(log_id_in(recorder.genesis.skeleton))
    note = kept(place, origin)
    if note is None:
        if recorder.reader.last_position():
            what = f"no head is kept there of the log {origin}"
            raise ProofError(f"{place}: {what}: `turnlog head` signs the first")
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
    """What was signed, and when, where a witness's key is among those given."""
    if not verifiers:
        return LogCheckpoint.parse(note.text), None
    signed = checked(note, verifiers)
    return signed.checkpoint, max(signed.times, default=None)

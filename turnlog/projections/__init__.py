"""Read models: folds of the log that remember how far they have come, and can be rebuilt."""

from __future__ import annotations

from turnlog.projections.due_prompts import DuePromptsProjection
from turnlog.projections.projection import Projection, catch_up
from turnlog.projections.session_values import SessionValuesProjection
from turnlog.projections.slot_history import SlotHistoryProjection
from turnlog.projections.transcript import TranscriptProjection
from turnlog.storage.recorder import Recorder

PROJECTIONS: dict[str, Projection] = {
    projection.name: projection
    for projection in (
        DuePromptsProjection(),
        SessionValuesProjection(),
        SlotHistoryProjection(),
        TranscriptProjection(),
    )
}
"""Name of a built-in projection: the projection. What is not here is not verified or rebuilt."""


def catch_up_kept(recorder: Recorder) -> None:
    """Bring the read models that there are up to date; nothing of what is deleted stays in them."""
    kept = {checkpoint.model for checkpoint in recorder.reader.checkpoints()}
    catch_up(recorder, [PROJECTIONS[name] for name in PROJECTIONS if name in kept])

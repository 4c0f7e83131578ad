"""Read models: folds of the log that remember how far they have come, and can be rebuilt."""

from __future__ import annotations

from turnlog.projections.due_prompts import DuePromptsProjection
from turnlog.projections.projection import Projection
from turnlog.projections.session_values import SessionValuesProjection
from turnlog.projections.slot_history import SlotHistoryProjection
from turnlog.projections.transcript import TranscriptProjection

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

"""Read models: folds of the log that remember how far they have come, and can be rebuilt."""

from __future__ import annotations

from turnlog.projections.due_prompts import DuePromptsProjection
from turnlog.projections.ledger import LedgerProjection
from turnlog.projections.persons import PersonsProjection
from turnlog.projections.projection import AnyProjection, catch_up
from turnlog.projections.search import SearchProjection
from turnlog.projections.session_values import SessionValuesProjection
from turnlog.projections.slot_history import SlotHistoryProjection
from turnlog.projections.transcript import TranscriptProjection
from turnlog.storage.recorder import Recorder

PROJECTIONS: dict[str, AnyProjection] = {
    projection.name: projection
    for projection in (
        DuePromptsProjection(),
        LedgerProjection(),
        PersonsProjection(),
        SearchProjection(),
        SessionValuesProjection(),
        SlotHistoryProjection(),
        TranscriptProjection(),
    )
}
"""Name of a built-in projection: the projection. What is not here is not verified or rebuilt."""


def register(projection: AnyProjection) -> None:
    """Have a read model of an extension followed, verified and rebuilt like the built-in ones.

    Every process that verifies or rebuilds has to: one that is installed says so by an entry point
    of the group `turnlog.read_models`. Raises ValueError where another has the name.
    """
    known = PROJECTIONS.setdefault(projection.name, projection)
    if type(known) is not type(projection):
        raise ValueError(f"there is a read model {projection.name!r} already")


def register_installed() -> None:
    """Register those of the extensions that are installed."""
    from importlib.metadata import entry_points

    for found in entry_points(group="turnlog.read_models"):
        register(found.load()())


def catch_up_kept(recorder: Recorder) -> None:
    """Bring the read models that there are up to date; nothing of what is deleted stays in them."""
    kept = {checkpoint.model for checkpoint in recorder.reader.checkpoints()}
    catch_up(recorder, [PROJECTIONS[name] for name in PROJECTIONS if name in kept])

"""Read models: folds of the log, each with a checkpoint, which can be rebuilt."""

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
"""The registered projections by name. Only these are verified and rebuilt."""


def register(projection: AnyProjection) -> None:
    """Adds a read model of an extension, to be followed, verified and rebuilt like the built-in
    ones.

    Every process that verifies or rebuilds must register it; an installed extension can name it in
    an entry point of the group `turnlog.read_models`. Raises ValueError if another projection has
    the name.
    """
    known = PROJECTIONS.setdefault(projection.name, projection)
    if type(known) is not type(projection):
        raise ValueError(f"another read model is named {projection.name!r}")


def register_installed() -> None:
    """Registers the projections of installed extensions."""
    from importlib.metadata import entry_points

    for found in entry_points(group="turnlog.read_models"):
        register(found.load()())


def catch_up_kept(recorder: Recorder) -> None:
    """Brings the existing read models up to date, so that they contain nothing deleted."""
    kept = {checkpoint.model for checkpoint in recorder.reader.checkpoints()}
    catch_up(recorder, [PROJECTIONS[name] for name in PROJECTIONS if name in kept])

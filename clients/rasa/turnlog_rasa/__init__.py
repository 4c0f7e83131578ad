"""Rasa's tracker store and event broker on a turnlog server."""

from importlib import import_module

__all__ = ["TurnlogEventBroker", "TurnlogTrackerStore"]
__version__ = "0.1.0"

_HOMES = {
    "TurnlogEventBroker": "turnlog_rasa.broker",
    "TurnlogTrackerStore": "turnlog_rasa.store",
}


def __getattr__(name):
    """The classes are imported on first use, because they need Rasa and the rest does not."""
    if name in _HOMES:
        from turnlog_rasa.settings import no_fallback

        with no_fallback():
            return getattr(import_module(_HOMES[name]), name)
    if name.startswith("Turnlog"):  # misspelled in endpoints.yml: Rasa would continue in memory
        raise RuntimeError(f"turnlog_rasa has no {name}, only {' and '.join(__all__)}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Rasa's tracker store and event broker on a turnlog server."""

__all__ = ["TurnlogEventBroker", "TurnlogTrackerStore"]
__version__ = "0.1.0"


def __getattr__(name):
    """The classes, imported when asked for: they need Rasa, the rest of the package does not."""
    if name == "TurnlogTrackerStore":
        from turnlog_rasa.store import TurnlogTrackerStore

        return TurnlogTrackerStore
    if name == "TurnlogEventBroker":
        from turnlog_rasa.broker import TurnlogEventBroker

        return TurnlogEventBroker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

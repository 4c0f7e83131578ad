"""LangGraph's checkpoints in the log: `TurnlogSaver(url)` (docs/agents.md)."""

from __future__ import annotations

from turnlog.extras import needed

with needed("langgraph", "turnlog.agents.langgraph"):
    from turnlog.agents.langgraph.saver import TurnlogSaver

__all__ = ["TurnlogSaver"]

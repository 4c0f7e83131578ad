"""Doors for agent frameworks: each keeps its conversations in the log (docs/agents.md)."""

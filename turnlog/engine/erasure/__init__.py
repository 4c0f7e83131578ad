"""Erases people, conversations and events permanently, with or without keys (ADR 20)."""

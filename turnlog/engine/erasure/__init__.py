"""Erasing people, conversations and events for good, without a key store (ADR 20)."""

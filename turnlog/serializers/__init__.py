"""Bytes to events and back: one module a format, one interface for all of them (codec.py)."""

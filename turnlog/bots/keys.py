"""Idempotency keys of what is recorded on a bot's behalf, so that it is recorded once."""

from __future__ import annotations

OWN = "\x1f"
"""Begins each of them; no client's message id does."""


def answer_key(message: int) -> str:
    """Of the commit that ends the answer to the message of that event's number."""
    return f"{OWN}answer {message}"


def piece_key(message: int, piece: int) -> str:
    """Of a piece of an answer that streams; pieces count from 1."""
    return f"{answer_key(message)}.{piece}"


def call_id(message: int, call: int) -> str:
    return f"{message}.{call}"


def call_key(id: str) -> str:
    return f"{OWN}call {id}"


def return_key(id: str) -> str:
    return f"{OWN}return {id}"

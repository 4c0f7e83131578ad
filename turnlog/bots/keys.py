"""Idempotency keys under which a bot's calls and answers are recorded once."""

from __future__ import annotations

OWN = "\x1f"
"""The beginning of each key, which no client's message id has."""


def answer_key(message: int) -> str:
    """The key of the commit that ends the answer to a message. message: number of its event."""
    return f"{OWN}answer {message}"


def piece_key(message: int, piece: int) -> str:
    """The key of a piece of a streamed answer. Pieces count from 1."""
    return f"{answer_key(message)}.{piece}"


def call_id(message: int, call: int) -> str:
    """The id of the n-th call in the answer to a message."""
    return f"{message}.{call}"


def call_key(id: str) -> str:
    """The key of a call's commit."""
    return f"{OWN}call {id}"


def return_key(id: str) -> str:
    """The key of a result's commit."""
    return f"{OWN}return {id}"

"""Counts of things in sentences."""

from __future__ import annotations


def amount(number: int, noun: str) -> str:
    """`1 event`, `2,000 events`; for a noun with a regular plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def apart(attachments: int, length: int) -> str:
    """`, 2 attachments of 900,000 bytes`; empty for none."""
    held = f"{amount(attachments, 'attachment')} of {amount(length, 'byte')}"
    return f", {held}" if attachments else ""


def digits(number: int) -> str:
    """A whole number as text, even one with too many digits for Python to print."""
    bits = number.bit_length()
    return str(number) if bits < 200 else f"of {bits:,} bits"

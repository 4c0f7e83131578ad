"""Rewriting: a text with parts of it replaced, and the new places of the rest."""

from __future__ import annotations

from collections.abc import Sequence

Replaced = tuple[int, int, str]


class RewrittenConversation:
    """replaced: characters, end exclusive, and their replacement; in order, without overlap."""

    def __init__(self, before: str, replaced: Sequence[Replaced]) -> None:
        self.before = before
        self._replaced = replaced
        parts: list[str] = []
        done = 0
        for start, end, instead in replaced:
            parts += (before[done:start], instead)
            done = end
        self.text = "".join((*parts, before[done:]))

    def place(self, start: int, end: int) -> tuple[int, int]:
        """The new place of these characters; the whole replacement for a part of a replaced
        range.
        """
        return self._moved(start, at_end=False), self._moved(end, at_end=True)

    def _moved(self, place: int, *, at_end: bool) -> int:
        shift = 0
        for start, end, instead in self._replaced:
            if place >= end:
                shift += len(instead) - (end - start)
            elif place > start or (place == start and not at_end):
                return start + shift + (len(instead) if at_end else 0)
            else:
                break
        return place + shift

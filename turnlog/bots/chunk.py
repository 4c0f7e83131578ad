"""A piece of an unfinished message."""

from __future__ import annotations

import msgspec


class Chunk(msgspec.Struct, frozen=True):
    """A piece of a message, for a bot to yield.

    Readers see it immediately, as a preview. The message ends at the next yield that is not a
    chunk, before a tool call, or at the end of the answer, and is recorded whole.
    """

    text: str

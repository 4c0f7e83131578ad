"""A piece of a message that is not whole yet."""

from __future__ import annotations

import msgspec


class Chunk(msgspec.Struct, frozen=True):
    """What a bot yields of a message as it comes.

    Readers see it at once, as a preview. The message ends at the next yield that is not a chunk,
    before a tool is called, or at the end of the answer, and is recorded whole.
    """

    text: str

"""Words: what was said in a conversation, in the form that near-duplicates share."""

from __future__ import annotations

import os
import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import BinaryIO
from zlib import crc32

import msgspec

from turnlog.domain import events as e
from turnlog.serializers.shared.plain import dumps

RUN = 3
"""Words in a shingle."""

_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")
"""A letter of a script without spaces between words."""


class Words(msgspec.Struct, frozen=True):
    """shingles: hashes of the runs of three words in each message, or of all of a shorter one.
    asked: of the runs in the user's messages. Without repeats; case, punctuation and the order of
    messages do not matter.
    """

    shingles: frozenset[int]
    asked: frozenset[int]

    @classmethod
    def of(cls, events: Iterable[e.Event]) -> Words:
        """The words of these events."""
        runs: set[bytes] = set()
        asked: set[bytes] = set()
        for text, is_users in _said(events):
            words = _words(text)
            said = set(map(b" ".join, zip(words, words[1:], words[2:], strict=False)))
            runs.update(said)
            if is_users:
                asked.update(said)
            if 0 < len(words) < RUN:
                runs.add(b" ".join(words))
        return cls(frozenset(map(crc32, runs)), frozenset(map(crc32, asked)))

    @property
    def digest(self) -> bytes:
        """The same for the same words."""
        packed = array("I", [*sorted(self.shingles), 0, *sorted(self.asked)])
        return blake2b(packed.tobytes(), digest_size=16).digest()


NO_WORDS = Words(frozenset(), frozenset())


class WordStore:
    """Words of many conversations, by number from 0.

    file: for this store only; it keeps memory from growing with what was said.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places = array("Q")
        self._counts = array("I")

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> Words:
        self._file.seek(self._places[number])
        shingles, asked = self._counts[2 * number : 2 * number + 2]
        hashes = array("I", self._file.read(4 * (shingles + asked)))
        return Words(frozenset(hashes[:shingles]), frozenset(hashes[shingles:]))

    def __iter__(self) -> Iterator[Words]:
        return (self[number] for number in range(len(self)))

    def add(self, words: Words) -> int:
        """Stores the words and says their number."""
        self._places.append(self._file.seek(0, os.SEEK_END))
        self._counts.extend((len(words.shingles), len(words.asked)))
        self._file.write(array("I", [*words.shingles, *words.asked]).tobytes())
        return len(self) - 1


def _said(events: Iterable[e.Event]) -> Iterator[tuple[str, bool]]:
    """Texts and calls, and whether each is the user's."""
    for event in events:
        if isinstance(event, e.ToolCalled):
            yield f"{event.name} {dumps(event.arguments).decode()}", False
        elif isinstance(event, e.UserUttered):
            yield event.text or "", True
        elif isinstance(event, e.BotUttered | e.AgentUttered):
            yield event.text or "", False
        elif isinstance(event, e.TextAdded):
            yield event.text or "", event.actor == "user"


def _words(text: str) -> list[bytes]:
    folded = (text if text.isascii() else unicodedata.normalize("NFKC", text)).casefold()
    found = _WORD.findall(folded) or folded.split()
    return " ".join(found).encode("utf-8", "surrogatepass").split(b" ") if found else []

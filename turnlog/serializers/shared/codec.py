"""The interface of every format.

A codec reads a file into dialogues, and turns dialogues into examples that it writes to a file.
Third parties add theirs by an entry point of the group `turnlog.codecs` that names a Codec class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import msgspec

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.judgements import Judgements, PreferenceEvidence
from turnlog.errors import FormatError

SNIFFED = 8192
"""Bytes of a file's beginning that a codec sees to recognise it."""


class Limits(msgspec.Struct, frozen=True):
    """What an import accepts: bytes a conversation, bytes an event, depth of nesting."""

    conversation_bytes: int = 64_000_000
    event_bytes: int = 1_000_000
    depth: int = 100


class Example(msgspec.Struct, frozen=True):
    """One thing a codec writes: of which conversation and events, and what it could not hold.

    content: what the format stores, as plain values, of which some may be JSON (`msgspec.Raw`).
    lost: counts by what was left out. noted: counts by what whoever uses it should know, though
    nothing is lost. evidence: the events that show how good an answer in it is. Of judgements, the
    numbers are those of the log.
    """

    conversation: str
    first_event: int
    last_event: int
    content: Any
    lost: dict[str, int] = {}
    noted: dict[str, int] = {}
    evidence: tuple[PreferenceEvidence, ...] = ()

    @classmethod
    def of(
        cls,
        dialogue: Dialogue,
        content: Any,
        lost: Mapping[str, int] | None = None,
        noted: Mapping[str, int] | None = None,
    ) -> Example:
        """Of all of a dialogue."""
        bounds = dialogue.first_event, dialogue.last_event
        return cls(dialogue.name, *bounds, content, dict(lost or {}), dict(noted or {}))


class Codec:
    """A format. Subclasses override what the format can do; the rest says that it cannot.

    options are the format's own settings, by name.
    """

    name: ClassVar[str]
    suffix: ClassVar[str] = ""
    """Ending of a file of this format."""
    reads: ClassVar[bool] = False
    writes: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    """Whether it keeps what was recorded, all of it; the others are written to learn from, without
    what was taken back, failed or was redacted."""
    keeps_ids: ClassVar[bool] = False
    """Whether conversations go by their ids unless pseudonyms are asked for, in a format that is
    not whole: one that gives a data set back."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Packages whose version decides about the bytes of a file."""
    extra: ClassVar[str] = ""
    """What brings them: `turnlog[EXTRA]`."""

    writes_json: ClassVar[bool] = False
    """Whether `write` asks no more of a content than its JSON, which may then be ready."""

    settings: ClassVar[frozenset[str]] = frozenset()
    """The options that an export can set."""

    def __init__(self, limits: Limits | None = None, **options: Any) -> None:
        self.limits = limits or Limits()
        self.options = options
        self.notes: list[FormatError] = []
        """What a read found that a person should know, though it was imported; one a place."""

    @property
    def of_judgements(self) -> bool:
        """Whether its examples are of what is known about answers, not of whole dialogues."""
        return False

    def sniff(self, head: bytes, path: Path) -> bool:
        """Whether a file that begins with these bytes is of this format."""
        return False

    def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
        """The file's conversations in order, as a stream.

        Yields a FormatError for each that cannot be read, and raises one where nothing after it
        can be: everything complete before has then been yielded.
        """
        raise FormatError(f"the format {self.name!r} cannot be read")

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """What the format makes of a dialogue; nothing where it has no use for it.

        Raises FormatError, naming conversation and turn, for what must not be written.
        """
        raise FormatError(f"the format {self.name!r} cannot be written")

    def judged(self, judgements: Judgements) -> Iterator[Example]:
        """What the format makes of what is known about a conversation's answers, where it is
        `of_judgements`. Raises FormatError as `examples` does.
        """
        raise FormatError(f"the format {self.name!r} is of dialogues")

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """The examples as a file of this format, byte for byte the same for the same examples."""
        raise FormatError(f"the format {self.name!r} cannot be written")


def url_of(path: Path) -> str | None:
    """The URL where a path is one, of which it has taken a slash."""
    source = str(path)
    match = re.match(r"([a-z][a-z0-9+]+):/+(.*)\Z", source, re.DOTALL)
    if match is None or path.exists():
        return None
    return source if "://" in source else f"{match[1]}://{match[2]}"

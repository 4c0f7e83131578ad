"""The interface of every format.

A codec reads a file into dialogues, and turns dialogues into examples that it writes to a file.
Third parties add theirs with an entry point of the group `turnlog.codecs` that names a Codec class.
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
"""Bytes at the beginning of a file that `sniff` receives."""


class Limits(msgspec.Struct, frozen=True):
    """The most that an import accepts: bytes a conversation, bytes an event, levels of nesting."""

    conversation_bytes: int = 64_000_000
    event_bytes: int = 1_000_000
    depth: int = 100


class Example(msgspec.Struct, frozen=True):
    """One unit that a codec writes, its conversation and events, and what it could not hold.

    content: what the format stores, as plain values, of which some may be JSON (`msgspec.Raw`).
    lost: counts by what was omitted. noted: counts of what users of the example should know
    although nothing is lost. evidence: the events that show how good an answer in it is. Examples
    of judgements have the log's event numbers.
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
        """An example of a whole dialogue."""
        bounds = dialogue.first_event, dialogue.last_event
        return cls(dialogue.name, *bounds, content, dict(lost or {}), dict(noted or {}))


class Codec:
    """A format. Subclasses override what it can do; the other methods raise FormatError.

    options: the format's own settings, by name.
    """

    name: ClassVar[str]
    suffix: ClassVar[str] = ""
    """Ending of this format's files."""
    reads: ClassVar[bool] = False
    writes: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    """Whether it stores everything that was recorded. The other formats are training data, without
    what was rewound, failed or was redacted."""
    keeps_ids: ClassVar[bool] = False
    """Whether a format that is not whole names conversations by their ids by default, because it
    writes imported data sets back."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Packages whose version determines the bytes of a file."""
    extra: ClassVar[str] = ""
    """The extra that installs them: `turnlog[EXTRA]`."""

    writes_json: ClassVar[bool] = False
    """Whether `write` needs only the JSON of a content, which may then be encoded already."""

    settings: ClassVar[frozenset[str]] = frozenset()
    """The options that an export can set."""

    def __init__(self, limits: Limits | None = None, **options: Any) -> None:
        self.limits = limits or Limits()
        self.options = options
        self.folder: Path | None = None
        """The folder in which the file was found, if a folder is read."""
        self.refuses_empty = False
        """Whether a conversation without events is an error, which names its line."""
        self.notes: list[FormatError] = []
        """What a person should know about the input although it was imported; one a place."""

    @property
    def of_judgements(self) -> bool:
        """Whether its examples are preferences and ratings of answers, not whole dialogues."""
        return False

    def file_name(self, path: Path) -> str:
        """What names a conversation without an id: the file's path in the folder, or its name."""
        if self.folder is None or not path.is_relative_to(self.folder):
            return path.name
        return path.relative_to(self.folder).as_posix()

    def sniff(self, head: bytes, path: Path) -> bool:
        """Whether a file that begins with these bytes is of this format."""
        return False

    def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
        """The file's conversations in order, as a stream.

        Yields a FormatError for each that cannot be read. Raises one if nothing after it can be
        read either; everything complete before has then been yielded.
        """
        raise FormatError(f"the format {self.name!r} cannot be read")

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """The examples of a dialogue; empty if the format has no use for it.

        Raises FormatError, naming conversation and turn, for what must not be written.
        """
        raise FormatError(f"the format {self.name!r} cannot be written")

    def judged(self, judgements: Judgements) -> Iterator[Example]:
        """The examples of a conversation's judged answers, for a format that is `of_judgements`.

        Raises FormatError as `examples` does.
        """
        raise FormatError(f"the format {self.name!r} has no examples of judgements")

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """Writes a file of this format; the same examples give the same bytes."""
        raise FormatError(f"the format {self.name!r} cannot be written")


def url_of(path: Path) -> str | None:
    """The URL that was given as a path, which dropped one of its slashes; None for a path."""
    source = str(path)
    match = re.match(r"([a-z][a-z0-9+]+):/+(.*)\Z", source, re.DOTALL)
    if match is None or path.exists():
        return None
    return source if "://" in source else f"{match[1]}://{match[2]}"

"""The interface of every format, and how a format is found.

A codec reads a file into dialogues, and turns dialogues into examples that it writes to a file.
Third parties add theirs by an entry point of the group `turnlog.codecs` that names a Codec class.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import msgspec

from turnlog.domain.conversation import Dialogue
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

    content: what the format stores, as plain values. lost: counts by what was left out.
    """

    conversation: str
    first_event: int
    last_event: int
    content: Any
    lost: dict[str, int] = {}

    @classmethod
    def of(cls, dialogue: Dialogue, content: Any, lost: Mapping[str, int] | None = None) -> Example:
        """Of all of a dialogue."""
        bounds = dialogue.first_event, dialogue.last_event
        return cls(dialogue.name, *bounds, content, dict(lost or {}))


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
    libraries: ClassVar[tuple[str, ...]] = ()
    """Packages whose version decides about the bytes of a file."""

    def __init__(self, limits: Limits | None = None, **options: Any) -> None:
        self.limits = limits or Limits()
        self.options = options
        self.notes: list[FormatError] = []
        """What a read found that a person should know, though it was imported; one a place."""

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

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """The examples as a file of this format, byte for byte the same for the same examples."""
        raise FormatError(f"the format {self.name!r} cannot be written")


BUILT_IN: dict[str, str] = {
    "jsonl": "turnlog.serializers.jsonl:JsonlCodec",
    "openai": "turnlog.serializers.openai.codec:OpenaiCodec",
    "trl": "turnlog.serializers.trl:TrlCodec",
    "sharegpt": "turnlog.serializers.sharegpt:SharegptCodec",
    "alpaca": "turnlog.serializers.alpaca:AlpacaCodec",
    "parquet": "turnlog.serializers.parquet:ParquetCodec",
    "rasa-stories": "turnlog.serializers.rasa.stories:RasaStoriesCodec",
    "rasa-nlu": "turnlog.serializers.rasa.nlu:RasaNluCodec",
    "rasa-e2e": "turnlog.serializers.rasa.stories:RasaE2eCodec",
    "sgd": "turnlog.serializers.sgd.codec:SgdCodec",
    "multiwoz": "turnlog.serializers.multiwoz.codec:MultiwozCodec",
    "naif": "turnlog.serializers.naif:NaifCodec",
    "rasa-dialogue": "turnlog.serializers.rasa.dialogue:RasaDialogueCodec",
    "rasa-tracker": "turnlog.serializers.rasa.tracker:RasaTrackerCodec",
    "rasa-sql": "turnlog.serializers.rasa.sql:RasaSqlCodec",
    "rasa-mongo": "turnlog.serializers.rasa.mongo:RasaMongoCodec",
    "rasa-redis": "turnlog.serializers.rasa.redis:RasaRedisCodec",
}
"""Name of a format: module and class of its codec, imported when asked for."""


def names() -> list[str]:
    return [*BUILT_IN, *_plugins()]


@cache
def _plugins() -> dict[str, EntryPoint]:
    """What other distributions declare; looked up once, since it reads what every one declares."""
    return {point.name: point for point in entry_points(group="turnlog.codecs")}


def codec(name: str, **options: Any) -> Codec:
    """The codec of a format. Raises FormatError for a name that nobody declares."""
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        made: Codec = getattr(import_module(module), attribute)(**options)
        return made
    if (point := _plugins().get(name)) is not None:
        loaded: Codec = point.load()(**options)
        return loaded
    raise FormatError(f"{name!r} is no format; there are {', '.join(names())}")


def detect(path: Path, **options: Any) -> Codec | None:
    """The codec that recognises a file, or None."""
    with path.open("rb") as file:
        head = file.read(SNIFFED)
    found = (codec(name, **options) for name in names())
    return next((c for c in found if c.reads and c.sniff(head, path)), None)


def url_of(path: Path) -> str | None:
    """The URL where a path is one, of which it has taken a slash."""
    source = str(path)
    match = re.match(r"([a-z][a-z0-9+]+):/+(.*)\Z", source, re.DOTALL)
    if match is None or path.exists():
        return None
    return source if "://" in source else f"{match[1]}://{match[2]}"

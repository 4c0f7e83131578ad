"""The formats by name, and the recognition of a file's format."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnlog.errors import FormatError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from turnlog.serializers.shared.codec import Codec

BUILT_IN: dict[str, str] = {
    "jsonl": "turnlog.serializers.jsonl:JsonlCodec",
    "openai": "turnlog.serializers.openai.codec:OpenaiCodec",
    "openai-dpo": "turnlog.serializers.openai.dpo:OpenaiDpoCodec",
    "trl": "turnlog.serializers.trl.codec:TrlCodec",
    "sharegpt": "turnlog.serializers.sharegpt:SharegptCodec",
    "alpaca": "turnlog.serializers.alpaca:AlpacaCodec",
    "promptfoo": "turnlog.serializers.promptfoo:PromptfooCodec",
    "atif": "turnlog.serializers.atif.codec:AtifCodec",
    "parquet": "turnlog.serializers.parquet:ParquetCodec",
    "rasa-stories": "turnlog.serializers.rasa.stories:RasaStoriesCodec",
    "rasa-nlu": "turnlog.serializers.rasa.nlu:RasaNluCodec",
    "rasa-domain": "turnlog.serializers.rasa.domain_file:RasaDomainCodec",
    "rasa-e2e": "turnlog.serializers.rasa.stories:RasaE2eCodec",
    "sgd": "turnlog.serializers.sgd.codec:SgdCodec",
    "multiwoz": "turnlog.serializers.multiwoz.codec:MultiwozCodec",
    "naif": "turnlog.serializers.naif.codec:NaifCodec",
    "rasa-dialogue": "turnlog.serializers.rasa.dialogue:RasaDialogueCodec",
    "rasa-tracker": "turnlog.serializers.rasa.tracker:RasaTrackerCodec",
    "rasa-sql": "turnlog.serializers.rasa.sql:RasaSqlCodec",
    "rasa-dynamo": "turnlog.serializers.rasa.dynamo:RasaDynamoCodec",
    "rasa-mongo": "turnlog.serializers.rasa.mongo:RasaMongoCodec",
    "rasa-redis": "turnlog.serializers.rasa.redis:RasaRedisCodec",
}
"""Name of a format: module and class of its codec, imported on first use."""

READ_ONLY = frozenset({"rasa-sql", "rasa-mongo", "rasa-dynamo", "rasa-redis"})
WRITE_ONLY = frozenset(
    {
        "openai-dpo",
        "trl",
        "sharegpt",
        "alpaca",
        "promptfoo",
        "parquet",
        "rasa-stories",
        "rasa-nlu",
        "rasa-e2e",
        "rasa-domain",
    }
)
READABLE = [name for name in BUILT_IN if name not in WRITE_ONLY]
WRITABLE = [name for name in BUILT_IN if name not in READ_ONLY]


def listed(formats: Iterable[str]) -> str:
    """Formats as the end of a command's help; names are not broken at hyphens."""
    from textwrap import fill

    return "\b\n" + fill(f"Formats: {', '.join(formats)}.", 78, break_on_hyphens=False)


def names() -> list[str]:
    """The names of all formats, those of other distributions included."""
    return [*BUILT_IN, *_plugins()]


def entry_points(group: str) -> Iterable[EntryPoint]:
    """`importlib.metadata`'s entry points; that module takes long to import."""
    from importlib import metadata

    return metadata.entry_points(group=group)


@cache
def _plugins() -> dict[str, EntryPoint]:
    """The codecs that other distributions declare; looked up once, because it reads the metadata of
    every distribution.
    """
    return {point.name: point for point in entry_points(group="turnlog.codecs")}


def codec(name: str, **options: Any) -> Codec:
    """The codec of a format. Raises FormatError for an unknown name."""
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        built_in: Codec = getattr(import_module(module), attribute)(**options)
        return built_in
    if (point := _plugins().get(name)) is not None:
        loaded: Codec = point.load()(**options)
        return loaded
    raise FormatError(f"unknown format {name!r}; known: {', '.join(names())}")


def detect(path: Path, **options: Any) -> Codec | None:
    """The codec that recognises a file, or None."""
    from turnlog.serializers.shared.codec import SNIFFED

    with path.open("rb") as file:
        head = file.read(SNIFFED).removeprefix(BOM_UTF8)
    codecs = (codec(name, **options) for name in names())
    return next((c for c in codecs if c.reads and c.sniff(head, path)), None)

"""Manifest: what an export contains and where each example comes from; written as a stream.

Nothing in it depends on the clock: the same plan on the same log gives the same bytes.
"""

from __future__ import annotations

import hashlib
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from turnlog.domain.judgements import Contradiction, PreferenceEvidence
from turnlog.errors import FormatError
from turnlog.extras import needed
from turnlog.files import is_stream
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.plain import dumps
from turnlog.training.parts.leaks import Leak
from turnlog.training.parts.placement import Between
from turnlog.training.plan import By, ExportPlan

NAME = "manifest.json"
VERSION = 1


def place(out: Path, *, folder: bool) -> Path | None:
    """The path of an export's manifest; None if the export does not go to a file."""
    if is_stream(out):
        return None
    return out / NAME if folder else out.with_name(f"{out.name}.{NAME}")


class Query(msgspec.Struct, frozen=True):
    """Which conversations were asked for; see `ExportPlan`."""

    ids: list[str] | None = None
    where: str | None = None


class Options(msgspec.Struct, frozen=True):
    """How the examples were made; see `ExportPlan`."""

    format: str
    split: dict[str, float] | None = None
    by: By = "conversation"
    include: list[str] = []
    skip_faulty: bool = False
    together: bool = False
    leak_free: bool = False
    pinned: bool = False
    pseudonyms: bool = False
    redact: bool = False
    leave: list[str] = []
    settings: dict[str, Any] = {}


class ManifestEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """An example. events: numbers of its first and last event. sha256: of its content as JSON.
    evidence: the events that show how good its answers are.
    """

    file: str
    conversation: str
    events: tuple[int, int]
    sha256: str
    evidence: tuple[PreferenceEvidence, ...] = ()


class File(msgspec.Struct, frozen=True):
    """A file of the export."""

    examples: int
    bytes: int
    sha256: str


def digest_of(example: Example) -> str:
    """The SHA-256 of an example's content as JSON."""
    return hashlib.sha256(dumps(example.content)).hexdigest()


class Revocation(msgspec.Struct, frozen=True):
    """States that an export was made again from another's manifest. manifest: the SHA-256 of that.
    examples: how many of it are omitted as the person's; gone: how many the log no longer gives,
    whatever person they are about.
    """

    manifest: str
    examples: int
    gone: int


class FaultyConversation(msgspec.Struct, frozen=True):
    """A conversation that is not written, and why."""

    conversation: str
    why: str
    turn: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        error = FormatError(
            self.why, conversation=self.conversation, turn=self.turn, field=self.field
        )
        return str(error)


class Totals(msgspec.Struct):
    """lost: what the format cannot hold. noted: what users of the examples should know. left_out:
    events that do not count, by reason. nothing: conversations of which the format could write
    nothing. shared: of forks, how many of their turns are written with the conversation that also
    has them; held: how many of their events, and by which conversation. faulty: must not be
    written; refused: have a value that the format cannot hold. together: conversations that are in
    the part of an earlier near-duplicate; between: in none, because they belong in several.
    leaking: how many users and texts are in more than one part; leaks names them. contradictions:
    of pairs of answers that are omitted for them. card: SHA-256 of each file that describes the
    others.
    """

    files: dict[str, File] = {}
    lost: dict[str, int] = {}
    noted: dict[str, int] = {}
    left_out: dict[str, int] = {}
    nothing: list[str] = []
    shared: dict[str, int] = {}
    held: dict[str, tuple[int, str | None]] = {}
    faulty: list[FaultyConversation] = []
    refused: list[FaultyConversation] = []
    together: int = 0
    between: list[Between] = []
    leaking: dict[str, int] = {}
    leaks: list[Leak] = []
    contradictions: list[Contradiction] = []
    revoked: Revocation | None = None
    card: dict[str, str] = {}

    def stop(self, plan: ExportPlan) -> bool:
        """Whether findings prevent the export from being written."""
        leaks = plan.leak_free and any(self.leaking.values())
        return leaks or (bool(self.faulty) and not plan.skip_faulty)


class Manifest(Totals):
    """export: the id in the log's record of the export; None if it is not recorded."""

    manifest: int = VERSION
    export: str | None = None
    position: int = 0
    query: Query = Query()
    options: Options = Options("")
    versions: dict[str, str] = {}
    examples: list[ManifestEntry] = []

    @property
    def plan(self) -> ExportPlan:
        """The plan by which the export can be made again."""
        query, options = (msgspec.structs.asdict(part) for part in (self.query, self.options))
        return ExportPlan(position=self.position, **query, **options)


def header(plan: ExportPlan, export: str | None = None) -> dict[str, Any]:
    """The members before the examples: versions, and the plan."""
    fields = msgspec.structs.asdict(plan)
    codec = plan.codec()
    with needed(codec.extra, f"the format {codec.name!r}"):
        versions = {name: version(name) for name in ("turnlog", *codec.libraries)}
    if plan.redact:
        with needed("redact", "--redact"):
            import phonenumbers
        versions["phonenumbers"] = phonenumbers.__version__
    return {
        "manifest": VERSION,
        "export": export,
        "position": plan.position,
        "query": {name: fields[name] for name in Query.__struct_fields__},
        "options": {name: fields[name] for name in Options.__struct_fields__},
        "versions": versions,
    }


class ManifestWriter:
    """Writes the header, a line for each example, and finally what is known only at the end."""

    def __init__(self, out: BinaryIO, plan: ExportPlan, export: str | None = None) -> None:
        self._out = out
        self._first = True
        out.write(b"{")
        self._members(header(plan, export))
        out.write(b'"examples": [')

    def noted(self, examples: Iterable[Example], file: str) -> Iterator[Example]:
        """The same examples, each recorded as it passes."""
        for example in examples:
            events = (example.first_event, example.last_event)
            name, digest = example.conversation, digest_of(example)
            entry = ManifestEntry(file, name, events, digest, example.evidence)
            self._out.write(b"\n" if self._first else b",\n")
            self._out.write(dumps(entry))
            self._first = False
            yield example

    def close(self, totals: Totals) -> None:
        """Ends the list of examples and writes the totals."""
        self._out.write(b"\n],\n")
        self._members(msgspec.structs.asdict(totals), last=True)
        self._out.write(b"}\n")

    def _members(self, members: Mapping[str, Any], *, last: bool = False) -> None:
        written = [dumps(name) + b": " + dumps(value) for name, value in members.items()]
        self._out.write(b",\n".join(written) + (b"\n" if last else b",\n"))


def read(path: Path) -> Manifest:
    """Reads a manifest. Raises FormatError for any other file, or one that a newer version
    wrote.
    """
    try:
        manifest = msgspec.json.decode(path.read_bytes().removeprefix(BOM_UTF8), type=Manifest)
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(path)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"not a manifest of an export: {error}", file=str(path)) from error
    if manifest.manifest != VERSION:
        why = f"{manifest.manifest} was written by a newer version; this one reads {VERSION}"
        raise FormatError(why, file=str(path), field="manifest")
    for name in (*manifest.files, *manifest.card):
        if Path(name).name != name:
            raise FormatError(
                f"{name!r} is not a file in the same folder", file=str(path), field="files"
            )
    return manifest

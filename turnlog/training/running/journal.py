"""Journal: what an export has made so far, for a later run that resumes it after a kill."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self
from zlib import crc32

import msgspec
from msgspec.structs import replace

from turnlog.engine.log import Turnlog
from turnlog.files import is_stream
from turnlog.serializers.shared.plain import dumps
from turnlog.training.plan import ExportPlan
from turnlog.training.records.manifest import header
from turnlog.training.running.outcome import ExampleOutcome
from turnlog.training.select import Chosen

_NUMBER = 4
"""Bytes of a length, and of a checksum."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ExampleOutcome).decode


class OutcomeJournal:
    """A file next to the one being written, of outcomes with contents as JSON. The end of the
    export removes it, whether it succeeds or fails; only a kill of the process leaves it.

    It is valid only for the same plan, version and log, with nothing recorded since: what was
    redacted or deleted must not come back.
    """

    def __init__(self, out: Path, log: Turnlog, plan: ExportPlan) -> None:
        self._path = out.with_name(f".{out.name}.progress")
        self._key = _key(log, plan)
        self._last: str | None = None

    def __enter__(self) -> Self:
        self._path.touch()
        self._file = self._path.open("r+b")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def kept(self) -> Iterator[ExampleOutcome]:
        """The outcomes made before; new ones are appended."""
        end = len(self._key)
        if self._file.read(end) == self._key:
            for record in _records(self._file):
                outcome = _decode(record)
                end, self._last = self._file.tell(), outcome.conversation
                yield _with_json(outcome)
        self._file.seek(0)
        self._file.write(self._key)
        self._file.seek(end)
        self._file.truncate()

    def rest(self, chosen: Iterable[Chosen]) -> Iterator[Chosen]:
        """The conversations after the last of those, once they are read."""
        is_new = self._last is None
        for each in chosen:
            if is_new:
                yield each
            is_new = is_new or each[0].conversation == self._last

    def noted(self, outcomes: Iterable[ExampleOutcome]) -> Iterator[ExampleOutcome]:
        """The same outcomes, each recorded as it passes."""
        for outcome in outcomes:
            examples = [replace(x, content=bytes(x.content)) for x in outcome.examples]
            record = _encode(replace(outcome, examples=examples))
            self._file.write(_number(len(record)) + _number(crc32(record)) + record)
            yield outcome


def journal(
    log: Turnlog, plan: ExportPlan, out: Path
) -> AbstractContextManager[OutcomeJournal | None]:
    """The journal of an export to a path; None if parts, pins or the format require a new
    beginning.
    """
    begins_again = plan.split or plan.pinned or is_stream(out) or not plan.codec().writes_json
    return nullcontext() if begins_again else OutcomeJournal(out, log, plan)


def _key(log: Turnlog, plan: ExportPlan) -> bytes:
    said = dumps([header(plan), log.store.reader.last_position()])
    return hashlib.sha256(log.store.genesis.digest + said).digest()


def _records(file: BinaryIO) -> Iterator[bytes]:
    """The records up to the first incomplete one."""
    while len(lead := file.read(2 * _NUMBER)) == 2 * _NUMBER:
        record = file.read(int.from_bytes(lead[:_NUMBER]))
        if _number(crc32(record)) != lead[_NUMBER:]:
            return
        yield record


def _number(number: int) -> bytes:
    return number.to_bytes(_NUMBER)


def _with_json(outcome: ExampleOutcome) -> ExampleOutcome:
    examples = [replace(x, content=msgspec.Raw(x.content)) for x in outcome.examples]
    return replace(outcome, examples=examples)

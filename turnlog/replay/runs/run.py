"""The file of a stored run: JSON lines, so that runs can be compared and groups accepted.

A head; for each conversation its divergences and then its line; the groups; an end. A file without
an end is incomplete and refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec.structs import asdict, replace

from turnlog.domain.plain import dumps
from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError
from turnlog.files import OutgoingFile
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.grouping.groups import Grouping
from turnlog.replay.replayed import ReplayedConversation

FORMAT = "turnlog-run/1"


class RunHead(msgspec.Struct, frozen=True, kw_only=True):
    """What was replayed. time: when it began, UTC seconds. position: the log's last one then."""

    format: str = FORMAT
    bot: str
    version: str | None = None
    time: float = 0.0
    position: int = 0
    rules: Rules = Rules()


def head(log: Turnlog, bot: str, *, rules: Rules, time: float) -> RunHead:
    """time: when the replay begins, UTC seconds."""
    return RunHead(bot=bot, time=time, position=log.store.reader.last_position(), rules=rules)


def kept(
    results: Iterable[ReplayedConversation], path: Path, head: RunHead
) -> Iterator[ReplayedConversation]:
    """The same results, written to a file on the way, which exists once all are there."""
    with RunWriter(path, head) as writer:
        for one in results:
            writer.add(one)
            yield one
        writer.finish()


class RunWriter:
    """Writes a run as it proceeds; the file gets its name when the run is complete.

    The first conversation determines the bot's version.
    """

    def __init__(self, path: Path, head: RunHead) -> None:
        self._path = path
        self._outgoing = OutgoingFile(path)
        self._grouping = Grouping()
        self._conversations = self._divergences = 0
        try:
            self._file: BinaryIO = self._outgoing.unfinished.open("wb")
        except OSError as error:
            raise self._refused(error) from error
        self._head: RunHead | None = head

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._outgoing.discard()

    def add(self, replayed: ReplayedConversation) -> None:
        """Including accepted ones: a run contains everything that the bot did."""
        self._begin(replayed.version)
        found = sorted((*replayed.divergences, *replayed.accepted), key=lambda one: one.turn)
        for divergence in found:
            self._write(asdict(divergence))
        self._write(conversation_line(replayed))
        self._grouping.add(found)
        self._conversations += 1
        self._divergences += len(found)

    def finish(self) -> None:
        """Write the groups and the end, and give the file its name."""
        self._begin(None)
        for group in self._grouping.groups():
            self._write(group.as_dict())
        counts = {"conversations": self._conversations, "divergences": self._divergences}
        self._write({"kind": "end", **counts})
        try:
            self._file.close()
            self._outgoing.finish()
        except OSError as error:
            raise self._refused(error) from error

    def _begin(self, version: str | None) -> None:
        if self._head is not None:
            head = replace(self._head, version=version)
            self._write({"kind": "run", **msgspec.to_builtins(head)})
            self._head = None

    def _write(self, line: dict[str, Any]) -> None:
        try:
            self._file.write(dumps(line) + b"\n")
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> FormatError:
        return FormatError(error.strerror or str(error), file=str(self._path))


_LEFT_OUT = {"divergences", "accepted", "covered", "seconds", "version"}
"""Fields with lines of their own, or that differ from run to run."""


def conversation_line(replayed: ReplayedConversation) -> dict[str, Any]:
    """How many of its turns were sent to the bot, and how many were skipped, by reason."""
    counts = {key: value for key, value in asdict(replayed).items() if key not in _LEFT_OUT}
    return {"kind": "conversation", **counts}

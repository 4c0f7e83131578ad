"""Reads stored runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from turnlog.errors import FormatError
from turnlog.replay.divergence import Divergence
from turnlog.replay.grouping.groups import DivergenceGroup
from turnlog.replay.replayed import ReplayedConversation
from turnlog.replay.runs.run import FORMAT, RunHead


class Run(msgspec.Struct, frozen=True):
    """A complete run. conversations: by id, in the order of replay."""

    head: RunHead
    conversations: dict[str, ReplayedConversation]
    groups: list[DivergenceGroup]

    @property
    def divergences(self) -> Iterator[Divergence]:
        """All divergences, in the order of replay."""
        return (each for one in self.conversations.values() for each in one.divergences)


def read(path: Path) -> Run:
    """A run that `replay --out` wrote.

    Raises FormatError, naming file and line, for another file, an incomplete run, or a newer
    format.
    """
    reading = _Reading(path)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                reading.take(line, number)
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(path)) from error
    return reading.run()


class _Reading:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._head: RunHead | None = None
        self._found: list[Divergence] = []
        self._conversations: dict[str, ReplayedConversation] = {}
        self._groups: list[DivergenceGroup] = []
        self._end: dict[str, Any] | None = None

    def take(self, line: bytes, number: int) -> None:
        try:
            value = msgspec.json.decode(line)
            kind = value.get("kind") if isinstance(value, dict) else None
            self._take(kind, value)
        except ValueError as error:  # also msgspec's
            raise FormatError(str(error), file=str(self._path), line=number) from error

    def _take(self, kind: Any, value: dict[str, Any]) -> None:
        if self._head is None:
            self._head = _head(kind, value)
        elif self._end is not None:
            raise ValueError("continues after its end; the file may contain two runs")
        elif kind == "conversation":
            one = msgspec.convert({**value, "divergences": self._found}, ReplayedConversation)
            self._conversations[one.conversation] = one
            self._found = []
        elif kind == "group":
            self._groups.append(msgspec.convert(value, DivergenceGroup))
        elif kind == "end":
            self._end = value
        else:
            self._found.append(msgspec.convert(value, Divergence))

    def run(self) -> Run:
        if self._head is None:
            raise FormatError(
                "is empty; expected a run that `turnlog replay --out` wrote", file=str(self._path)
            )
        run = Run(self._head, self._conversations, self._groups)
        counts = {
            "conversations": len(run.conversations),
            "divergences": sum(len(one.divergences) for one in run.conversations.values()),
        }
        if self._end is None:
            raise FormatError("has no end: the run was cut off", file=str(self._path))
        if any(self._end.get(name) != count for name, count in counts.items()):
            raise FormatError("is incomplete: its end counts other lines", file=str(self._path))
        return run


def _head(kind: Any, value: dict[str, Any]) -> RunHead:
    if kind != "run":
        raise ValueError("is not a run that `turnlog replay --out` wrote")
    if value.get("format") != FORMAT:
        made = value.get("format")
        raise ValueError(f"has the format {made!r}, but this turnlog reads {FORMAT!r}")
    return msgspec.convert(value, RunHead)

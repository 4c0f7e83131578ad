"""A kept run of a replay as the inspector shows it, without anything redacted since."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError, UnknownConversation
from turnlog.replay.divergence import Divergence
from turnlog.replay.grouping.groups import DivergenceGroup
from turnlog.replay.runs import accepted, kept
from turnlog.server.timeline import shortened

SHOWN = 500
"""Divergences of a group that are listed."""


class ShownRun:
    """Reads the file again when it changes. Raises FormatError for anything but a run.

    A group is named by the digest of its key: the key may contain words.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._run = self.read()

    def read(self) -> kept.Run:
        """The run, as the file is now."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise FormatError(error.strerror or str(error), file=str(self.path)) from error
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._run = kept.read(self.path)
            self._stamp = stamp
        return self._run

    def groups(self, log: Turnlog) -> dict[str, Any]:
        """`{"bot", "version", "time", "groups"}`, the largest group first."""
        run = self.read()
        known = self._accepted()
        silent = {one.group for one in run.divergences if not _may_speak(log, one.conversation)}
        wanted = {one.group for one in run.divergences if not known.covers(one, run.head.rules)}
        groups = [_line(one, one.group in silent, one.group not in wanted) for one in run.groups]
        head = run.head
        return {"bot": head.bot, "version": head.version, "time": head.time, "groups": groups}

    def _accepted(self) -> accepted.Accepted:
        path = self.path.parent / "accepted.toml"
        return accepted.load(path) if path.exists() else accepted.Accepted()

    def key(self, name: str) -> str | None:
        """The key of the group with this name, or None."""
        return next((one.group for one in self.read().groups if named(one.group) == name), None)

    def places(self, group: str) -> Iterator[dict[str, Any]]:
        """The places of a group's divergences, or of all."""
        for one in self.read().divergences:
            if not group or named(one.group) == group:
                yield _place(one)

    def of(self, log: Turnlog, conversation: str) -> list[dict[str, Any]]:
        """The divergences in a conversation, each `accepted` or not.

        `hidden` marks those whose content may no longer be shown.
        """
        run = self.read()
        replayed = run.conversations.get(conversation)
        speaks, known = _may_speak(log, conversation), self._accepted()
        found = replayed.divergences if replayed else ()
        return [_shown(one, speaks, known.covers(one, run.head.rules)) for one in found]


def named(group: str) -> str:
    """The name of a group, from its key."""
    return sha256(group.encode(errors="replace")).hexdigest()[:12]


def _may_speak(log: Turnlog, conversation: str) -> bool:
    """Whether nothing in it was hidden since the file was written."""
    try:
        return not log.head(conversation)[1].redacted
    except UnknownConversation:  # deleted, erased, restricted, or in another log
        return False


def _line(one: DivergenceGroup, is_silent: bool, is_accepted: bool) -> dict[str, Any]:
    return {
        "group": named(one.group),
        "label": f"{one.example.kind} (its words are hidden)" if is_silent else one.group,
        "conversations": one.conversations,
        "turns": one.turns,
        "accepted": is_accepted,
        "example": _place(one.example),
    }


def _place(one: Divergence) -> dict[str, Any]:
    return {"conversation": one.conversation, "turn": one.turn, "event": one.event}


def _shown(one: Divergence, speaks: bool, is_accepted: bool) -> dict[str, Any]:
    line = {**_place(one), "kind": one.kind, "group": named(one.group), "accepted": is_accepted}
    if not speaks:
        return {**line, "hidden": True}
    sides = {"path": one.path, "expected": one.expected, "actual": one.actual}
    return {**line, **{name: _cut(held) for name, held in sides.items()}}


def _cut(held: Any) -> Any:
    """An event in plain form, or a list of them, with long values cut."""
    if isinstance(held, list):
        return [_cut(one) for one in held]
    return shortened(held, {}) if isinstance(held, dict) else held

"""Groups that are known and wanted: a list that people keep with the bot, `accepted.toml`.

    [[accepted]]
    group = "text BotUttered “so far” → “in your basket”"
    note = "the shop's new words"
    by = "carla"
    time = 2026-11-26T12:00:00Z
    expected = "tea is 3; 1 so far"
    actual = "tea is 3; 1 in your basket"
    says = ["5a9e0c1d3b7f"]

An entry is added at the end and nothing else is changed, so that comments and order stay.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from textwrap import wrap
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain.plain import dumps
from turnlog.errors import FormatError
from turnlog.files import is_stream
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.divergence import Divergence
from turnlog.replay.replayed import ReplayedConversation
from turnlog.replay.runs.saying import saying

SHOWN = 300
"""The most characters of an example, which is for people."""


class Acceptance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group whose difference is accepted. expected and actual: its example, for people.

    says: digests of its divergences; None accepts any.
    """

    group: str
    note: str = ""
    by: str = ""
    time: datetime | None = None
    expected: str = ""
    actual: str = ""
    says: tuple[str, ...] | None = None


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The list; a group may be in it more than once."""

    accepted: tuple[Acceptance, ...] = ()

    def covers(self, divergence: Divergence, rules: Rules) -> bool:
        """Whether a divergence says what was accepted for its group."""
        alike = [one for one in self.accepted if one.group == divergence.group]
        said = saying(divergence, rules) if alike else ""
        return any(one.says is None or said in one.says for one in alike)

    def applied(self, replayed: ReplayedConversation, rules: Rules) -> ReplayedConversation:
        """The result without the accepted divergences, which it counts.

        Of the others it keeps the first of each turn. The replay must use `every`, so that an
        accepted difference hides nothing else.
        """
        if not self.accepted:
            return replayed
        known: list[Divergence] = []
        others: list[Divergence] = []
        for one in replayed.divergences:
            (known if self.covers(one, rules) else others).append(one)
        shown = tuple(_first_of_turns(others))
        return replace(replayed, divergences=shown, accepted=tuple(known))

    def among(self, groups: Iterable[str]) -> list[str]:
        """The groups that are in the list."""
        listed = {one.group for one in self.accepted}
        return [group for group in dict.fromkeys(groups) if group in listed]

    def stale(self, seen: Collection[str]) -> list[str]:
        """Its groups that were not found."""
        return list(dict.fromkeys(one.group for one in self.accepted if one.group not in seen))


def _first_of_turns(divergences: Iterable[Divergence]) -> Iterator[Divergence]:
    """Several runs have several divergences of a turn, which are all shown."""
    turns: set[int] = set()
    for one in divergences:
        if one.turn not in turns or type(one) is not Divergence:
            yield one
        turns.add(one.turn)


def load(path: Path) -> Accepted:
    """Raises FormatError, naming file and field."""
    try:
        return _parsed(path.read_bytes(), path)
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(path)) from error


def _parsed(content: bytes, path: Path) -> Accepted:
    try:
        return msgspec.convert(tomllib.loads(content.decode("utf-8-sig")), Accepted)
    except ValueError as error:  # from TOML, msgspec or Unicode
        raise FormatError(str(error), file=str(path)) from error


def acceptance(
    divergences: Iterable[Divergence],
    example: Divergence,
    rules: Rules,
    *,
    note: str,
    by: str,
    time: float,
) -> Acceptance:
    """The divergences of a group as an entry. rules: their run's. time: UTC seconds."""
    return Acceptance(
        example.group,
        note,
        by,
        datetime.fromtimestamp(int(time), UTC),
        _example(example.expected, example.path),
        _example(example.actual, example.path),
        tuple(sorted({saying(one, rules) for one in divergences})),
    )


def append(path: Path, entry: Acceptance) -> None:
    """Append an entry to the list, which is created if necessary.

    Raises FormatError, and leaves the file unchanged, if it is not such a list or cannot be
    written.
    """
    if is_stream(path):
        raise FormatError("is not a file that can be appended to", file=str(path))
    try:
        before = path.read_bytes() if path.exists() else b""
        added = _block(entry, before).encode()
        _parsed(before + added, path)
        _add(path, added)
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(path)) from error


def _add(path: Path, added: bytes) -> None:
    """In one write, all or nothing; other processes may append at the same time."""
    with path.open("ab", buffering=0) as file:
        end = file.tell()
        try:
            if file.write(added) != len(added):
                raise OSError(ENOSPC, "No space left on device")
        except OSError:
            file.truncate(end)
            raise


def _block(entry: Acceptance, before: bytes) -> str:
    """As TOML, with the line ends of the file."""
    texts = [(name, getattr(entry, name)) for name in ("group", "note", "by", "expected", "actual")]
    lines = ["[[accepted]]", *(f"{name} = {_quoted(text)}" for name, text in texts if text)]
    if entry.time is not None:
        lines.append(f"time = {entry.time:%Y-%m-%dT%H:%M:%SZ}")
    if entry.says is not None:
        lines += wrap(f"says = [{', '.join(map(_quoted, entry.says))}]", 96, subsequent_indent="  ")
    ending = "\r\n" if b"\r\n" in before else "\n"
    open_line = [""] if before and not before.endswith(b"\n") else []
    gap = [""] if before.strip() else []
    return ending.join([*open_line, *gap, *lines, ""])


def _quoted(text: str) -> str:
    """A TOML string on one line; invisible characters are escaped."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _example(event: Any, path: str) -> str:
    """The text of a message, or the event as JSON."""
    if event is None:
        return ""
    said = event.get("text") if isinstance(event, dict) and path == "text" else None
    text = said if isinstance(said, str) else dumps(event).decode()
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"

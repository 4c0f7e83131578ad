"""Why a bot failed, in words that failures with the same cause share."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from turnlog.replay.grouping import wording


class StackFrame(NamedTuple):
    """A line of a program in a traceback."""

    file: str
    function: str
    code: str


_FRAME = re.compile(r'^  File "(.+)", line \d+, in (.+)\n(?:    (.*)\n)?', re.MULTILINE)

_OTHERS = (
    sysconfig.get_path("stdlib"), "/site-packages/", "/turnlog/replay/", "/turnlog/bots/bot.py",
    "/turnlog/bots/streaming.py", "/turnlog/bots/threads.py", "<frozen ",
)  # fmt: skip
"""Parts of paths of files that are not the bot's."""


def cause(failed: Mapping[str, Any], values: Iterable[str]) -> str:
    """The type of the error, its message and the bot's line, without values.

    failed: a BotFailed in plain form.
    """
    error, _, detail = str(failed.get("detail") or "an answer").partition(":")
    if (frame := _of_the_bot(traceback(failed) or "")) is None:
        return " ".join((error, *_said(detail, values)))
    line = wording.clipped(f"in {frame.function}: {frame.code}")
    return " ".join((error, *_said(_QUOTED.sub(wording.NAME, detail), values), line))


_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
"""What an error names, often a value that differs each time."""


def _said(detail: str, values: Iterable[str]) -> Iterator[str]:
    if detail.strip() not in ("", wording.NAME):
        yield wording.saying(detail.strip(), values)


def traceback(event: Any) -> str | None:
    """Where a bot raised, or None if the event does not say it."""
    extra = event.get("extra") if isinstance(event, dict) else None
    found = extra.get("traceback") if isinstance(extra, dict) else None
    return found if isinstance(found, str) else None


def without_traceback(event: Any) -> Any:
    """The same event, or list of events, in plain form, without its traceback."""
    if traceback(event) is None:
        return event
    extra = {name: value for name, value in event["extra"].items() if name != "traceback"}
    kept = {name: value for name, value in event.items() if name != "extra"}
    return {**kept, "extra": extra} if extra else kept


def _of_the_bot(trace: str) -> StackFrame | None:
    """The innermost line of the bot, or of any file if there is none."""
    frames = list(_frames(trace))
    own = [frame for frame in frames if not any(part in frame.file for part in _OTHERS)]
    return next(reversed(own or frames), None)


def _frames(trace: str) -> Iterator[StackFrame]:
    for found in _FRAME.finditer(trace):
        yield StackFrame(found[1], found[2], (found[3] or "").strip())

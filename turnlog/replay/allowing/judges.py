"""Judges: a team's functions that decide whether an answer is as good as the recorded one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from turnlog.bots.loading import imported
from turnlog.errors import JudgeError

Judge = Callable[[Any, Any], bool]
"""Called with the recorded and the new text, slot value or arguments."""


@cache
def judge(name: str) -> Judge:
    """The judge with a name `module:function`, its module found on the path or in this folder.

    Raises JudgeError; so does the judge, if it raises or its verdict is not a bool.
    """
    given = _loaded(name)

    def judging(expected: Any, actual: Any) -> bool:
        try:
            verdict = given(expected, actual)
        except (Exception, SystemExit) as error:
            raise JudgeError(f"judge {name!r} raised {type(error).__name__}: {error}") from error
        if not isinstance(verdict, bool):
            raise JudgeError(f"judge {name!r} returned {verdict!r:.80}, not True or False")
        return verdict

    return judging


def _loaded(name: str) -> Callable[[Any, Any], object]:
    _, found = imported(name, "judge", JudgeError, "module:function")
    if not callable(found):
        raise JudgeError(f"judge {name!r} is a {type(found).__name__}, which cannot be called")
    return found  # type: ignore[no-any-return]

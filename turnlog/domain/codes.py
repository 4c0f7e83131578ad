"""Numbers, codes and addresses in a text without annotations, in time linear in its length."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(r"\S+")
_RUN = re.compile(r"[^\s,;:!?()\[\]{}\"'<>=#|*`]*")
_DIGIT = re.compile(r"\d")
_LAST_DOT = re.compile(r".*(?=\.\w)", re.DOTALL)
_WORD = re.compile(r"\w+")


def codes(text: str) -> Iterator[str]:
    """Runs with a digit between two separators, and addresses such as `some@thing.like`."""
    for token in _TOKEN.finditer(text):
        yield from _codes_in(token.group())


def _codes_in(token: str) -> Iterator[str]:
    """token: without white space."""
    before_dot = _LAST_DOT.match(token)
    dot = before_dot.end() if before_dot else 0
    at, may_be_address = 0, dot > 0
    while at < len(token):
        run = _RUN.match(token, at)
        assert run is not None, "the pattern matches the empty string"
        if _DIGIT.search(token, at, run.end()):
            yield run.group()
            at = run.end()
        elif may_be_address and token.find("@", at + 1, dot - 1) >= 0:
            end = _WORD.match(token, dot + 1).end()  # type: ignore[union-attr]  # a word is there
            yield token[at:end]
            at, may_be_address = end, False
        else:  # no address begins here, so none begins further on
            at, may_be_address = max(run.end(), at + 1), False

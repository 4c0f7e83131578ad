"""Search: a text, `slot:NAME=VALUE` and `kind:TYPE`, joined by commas."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from turnlog.domain.events import BY_NAME
from turnlog.domain.values import is_text
from turnlog.engine.log import Turnlog
from turnlog.engine.readable_log import Choice
from turnlog.errors import FormatError
from turnlog.projections.live_head import LiveHead
from turnlog.projections.search import FAILED, MARK, Page, SearchProjection, pages

_AT_ONCE = 500

_NAMED = re.compile(r'(?:^|,)\s*(slot|kind):(?=\S)("[^"]*"|[^,]*)')

Wanted = Callable[[str, Sequence[Page]], bool]
"""Whether a conversation with this id and these pages matches."""


def search(log: Turnlog, text: str) -> Choice:
    """Selects the conversations that match every part of a search.

    A text is a part of the id, of a message, or of a slot, ignoring case; `slot:NAME=VALUE` and
    `slot:NAME` match a slot that had that value, or any, and `kind:TYPE` an event of a type, or a
    failure for `error`. Redacted words are not found. Raises FormatError for a value that is not a
    text, and for an unknown kind.
    """
    terms, view = _terms(text), log.view(SearchProjection.name)

    def meant(heads: Iterator[LiveHead]) -> Iterator[LiveHead]:
        while some := [*islice(heads, _AT_ONCE)]:
            found = pages(view, some)
            for head in some:
                if all(term(head.conversation, found[head.conversation]) for term in terms):
                    yield head

    return meant


def _terms(text: str) -> list[Wanted]:
    if not is_text(text):
        raise FormatError(f"{text!r:.80} is not a text to search for")
    terms = [_WANTED[found[1]](found[2].strip().strip('"')) for found in _NAMED.finditer(text)]
    left = _NAMED.sub("", text)
    plain = (left.removeprefix(",") if terms else left).strip()
    return [*terms, _text(plain)] if plain else terms


def _text(wanted: str) -> Wanted:
    folded = wanted.casefold()

    def has(id: str, pages: Sequence[Page]) -> bool:
        said = any(folded in page.texts or folded in page.slots for page in pages)
        return said or folded in id.casefold()

    return has


def _slot(wanted: str) -> Wanted:
    line = f"{MARK}{wanted.casefold()}{MARK}" if "=" in wanted else f"{MARK}{wanted.casefold()}="
    return lambda id, pages: any(line in page.slots for page in pages)


def _kind(wanted: str) -> Wanted:
    kind = wanted.casefold()
    if kind != FAILED and kind not in _TYPES:
        raise FormatError(f"unknown kind {wanted!r:.80}; known: {FAILED} and the types of events")
    return lambda id, pages: any(f"{MARK}{kind}{MARK}" in page.kinds for page in pages)


_TYPES = {name.casefold() for name in BY_NAME}

_WANTED: dict[str, Callable[[str], Wanted]] = {"slot": _slot, "kind": _kind}

"""How two texts differ, in words that differences with the same cause share.

Numbers, names, ids and known values are removed first, so that they do not split groups.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from turnlog.domain.hidden_values import pattern

NUMBER, NAME = "#", "…"
"""Placeholders for a number or an id, and for a name or a known value."""

LONGEST = 120
"""The most characters of a wording."""

_SHORT = 3
"""The most words and signs of a text that is shown in full next to another one."""

_COMPARED = 300
"""The most words beyond the common beginning that are compared one by one."""

TOKEN = re.compile(r"[^\W_]+(?:[-_'’./:@+]+[^\W_]+)*|[^\w\s]|_")
_SENTENCE_ENDS = frozenset('.!?:;…"“”«»()•-–—*>')
_BETWEEN = frozenset((",", "and", "or", "&", "und", "oder", "/"))
_AS_WRITTEN = frozenset(("I", "OK"))


def difference(one: str, other: str, values: Iterable[str] = ()) -> str:
    """The new words in place of the old. values: known ones, removed like names."""
    if not one or not other:
        return f"→ {_quoted(words(other, values))}"
    if one.casefold() == other.casefold():
        return "letter case"
    if one.split() == other.split() or "".join(one.split()) == "".join(other.split()):
        return "spaces"
    if one.startswith(other):
        return "cut short"
    known = frozenset(values)
    tokens, others = words(one, known), words(other, known)
    if _is_another(tokens, others):
        return clipped(f"→ {_quoted(others)}")
    changes = list(_changes(tokens, others) if tokens != others else _beside(one, other, known))
    return clipped(", ".join(changes))


def saying(text: str, values: Iterable[str] = ()) -> str:
    """The words of a text."""
    return clipped(_quoted(words(text, values)))


def clipped(text: str) -> str:
    """A text, cut to the longest that a key may have."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


# --- words --------------------------------------------------------------------------------------


def words(text: str, values: Iterable[str] = ()) -> list[str]:
    """The words and signs of a text, without numbers, names and known values."""
    found = pattern({value for value in values if len(value) > 1})
    known = found.sub(f" {NAME} ", text) if found is not None else text
    return _listed_once(_general(TOKEN.findall(known)))


def _general(tokens: Sequence[str]) -> Iterator[str]:
    begins = True
    for token in tokens:
        if any(map(str.isdigit, token)) or "@" in token or "://" in token:
            yield NUMBER
        elif not begins and token[0].isupper() and token not in _AS_WRITTEN:
            yield NAME
        else:
            yield token
        begins = token in _SENTENCE_ENDS and token != NAME


def _listed_once(tokens: Iterable[str]) -> list[str]:
    """Several names or numbers in a row, also with commas between them, count as one."""
    kept: list[str] = []
    for token in tokens:
        if token in (NAME, NUMBER):
            while len(kept) > 1 and kept[-1] in _BETWEEN and kept[-2] in (NAME, NUMBER):
                kept.pop()
            if kept and kept[-1] in (NAME, NUMBER):
                continue
        kept.append(token)
    return kept


def _quoted(tokens: Sequence[str]) -> str:
    text = re.sub(r" (?=[.,!?:;)])", "", " ".join(tokens))
    return f"“{text}”"


# --- what changed -------------------------------------------------------------------------------


def _changes(one: Sequence[str], other: Sequence[str]) -> Iterator[str]:
    """Each change; for texts with little in common, everything between their common ends."""
    one, other = _middles(one, other)
    if max(len(one), len(other)) > _COMPARED:
        yield f"{_quoted(one)} → {_quoted(other)}"
        return
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    changes = [change[1:] for change in matcher.get_opcodes() if change[0] != "equal"]
    shown = dict.fromkeys(f"{_quoted(one[a:b])} → {_quoted(other[c:d])}" for a, b, c, d in changes)
    if matcher.ratio() < 0.5 or len(shown) > 3:
        shown = dict.fromkeys((f"{_quoted(one)} → {_quoted(other)}",))
    yield from shown


def _is_word(token: str) -> bool:
    """Or a placeholder for a value or a number."""
    return token in (NAME, NUMBER) or any(map(str.isalpha, token))


def _is_another(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the new text is a separate sentence, as of a bot that says the same to everyone,
    rather than the old text with additions.
    """
    said, instead = (Counter(filter(_is_word, map(str.casefold, text))) for text in (one, other))
    total = said.total() + instead.total()
    is_long = max(len(one), len(other)) > _SHORT
    return is_long and 5 * (said & instead).total() < total and all(_middles(one, other))


def _middles(one: Sequence[str], other: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The part between the common beginning and the common end."""
    shortest = min(len(one), len(other))
    begin = next((i for i in range(shortest) if one[i] != other[i]), shortest)
    rest = shortest - begin
    end = next((i for i in range(rest) if one[-1 - i] != other[-1 - i]), rest)
    return one[begin : len(one) - end], other[begin : len(other) - end]


def _beside(one: str, other: str, values: Collection[str]) -> Iterator[str]:
    """If only a number, a name or a value differs: the words next to the first of them."""
    tokens, others = TOKEN.findall(one), TOKEN.findall(other)
    pairs = enumerate(zip(tokens, others, strict=False))
    place = next((i for i, (word, another) in pairs if word != another), 0)
    before = _words_of(tokens[:place], values)[-2:]
    yield _quoted([*before, NAME])


def _words_of(tokens: Sequence[str], values: Collection[str]) -> list[str]:
    return [word for word in words(" ".join(tokens), values) if word not in (NAME, NUMBER)]

"""Values read in one pass equal those of a careful read, whatever their content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnlog.domain.values import same
from turnlog.errors import FormatError
from turnlog.serializers.shared import json_stream, json_value
from turnlog.serializers.shared.json_value import depth_of, parse

TEXTS = st.text(st.sampled_from('ab:"\\{}[]é😀\ud800\udc00'), max_size=6)
BEYOND = ["1" * 19, "1" * 41, "18446744073709551616", "-9223372036854775809", "0." + "1" * 40]
NUMBERS = st.sampled_from(
    [*BEYOND, "0", "-0", "-0.0", "1.5", "1E5", "1e400", "01", "NaN", "-Infinity", str(2**64 - 1)]
)
SCALARS = TEXTS.map(json.dumps) | TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False))
SCALARS |= NUMBERS | st.sampled_from(["true", "null", r'"\u003a"', r'"\u003A"', '"\t"', r'"\x"'])
BLANKS = st.sampled_from(["", "", " ", "\n", "\t "])
KEYS = TEXTS.map(json.dumps)


@st.composite
def containers(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """Now and then a duplicate key, or blanks before a colon."""
    blank, items = draw(BLANKS), draw(st.lists(inner, max_size=4))
    if draw(st.booleans()):
        return f"[{blank}" + f"{blank},".join(items) + "]"
    members = [f"{draw(KEYS)}{blank}:{blank}{item}" for item in items]
    return "{" + f",{blank}".join(members) + "}"


JSON = st.recursive(SCALARS, containers, max_leaves=12)


def _outcome(source: bytes, depth: int) -> Any:
    try:
        return parse(source, depth=depth, line=3)
    except FormatError as error:
        return [type(error).__name__, error.why, error.line, error.field]


def _look_closer(source: bytes, depth: int) -> Any:
    raise json_value._Odd


@given(JSON, BLANKS, st.sampled_from([0, 1, 2, 100]), st.integers(0, 40))
def test_a_fast_and_a_careful_read_agree(text: str, end: str, depth: int, cut: int) -> None:
    source = (text + end).encode(errors="surrogatepass")
    for each in (source, source[:cut], source + b"]"):
        quick = _outcome(each, depth)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(json_value, "_plainly", _look_closer)
            closer = _outcome(each, depth)
        assert same(quick, closer), each


def _depth(value: Any) -> int:
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


@given(JSON, st.integers(0, 4))
def test_brackets_in_texts_are_not_nested(text: str, enough: int) -> None:
    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: [item for _, item in pairs])
    except ValueError:
        return
    found, deep = depth_of(text.encode(errors="surrogatepass"), enough), _depth(value)
    assert found >= deep
    assert found <= enough or found == deep


def _elements(source: bytes, below: Sequence[str], keep: int) -> Any:
    """The elements, and the error that ends them."""
    found: list[Any] = []
    try:
        for each in json_stream.elements(BytesIO(source), keep, below):
            error = isinstance(each, FormatError)
            found.append((each.why, each.line, each.field) if error else each)  # type: ignore[union-attr]
    except FormatError as error:
        found.append((error.why, error.line, error.field))
    return found


DOCUMENTS = containers(JSON) | containers(JSON).map(
    lambda text: f'\ufeff {{"x": 1, "a": {text}}}\n'
)


@given(DOCUMENTS, st.sampled_from([(), ("a",), ("a", "")]), st.integers(0, 60), st.integers(3, 9))
def test_elements_read_whole_equal_those_of_a_stream(
    text: str, below: Sequence[str], cut: int, chunk: int
) -> None:
    source = text.encode(errors="surrogatepass")
    for each in (source, source[:cut], source + b"]", source.replace(b'"', b"", 1)):
        for keep in (4, 1000):
            at_once = _elements(each, below, keep)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(json_stream, "AT_ONCE_BYTES", 0)
                patch.setattr(json_stream, "CHUNK_BYTES", chunk)
                assert at_once == _elements(each, below, keep), each

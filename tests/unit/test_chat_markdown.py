"""A bot's markdown as a tree."""

from __future__ import annotations

import time
from typing import Any

import pytest

from turnlog.server.markdown import MAX_CHARACTERS, tree


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("only words, 2 > 1 and 5 - 3\nin two lines", None),
        ("**a** _b_ `c`", [["p", [["strong", ["a"]], " ", ["em", ["b"]], " ", ["code", ["c"]]]]]),
        ("one\ntwo *x*", [["p", ["one", "\n", "two ", ["em", ["x"]]]]]),
        ("- a\n- b", [["ul", [["li", ["a"]], ["li", ["b"]]]]]),
        ("# Title", [["h", ["Title"]]]),
        ("```py\nx < 1\n```", [["pre", ["x < 1\n"]]]),
        ("[x](https://e.com)", [["p", [["a", ["x"], "https://e.com"]]]]),
        ("![alt](https://e.com/p.png)", [["p", [["a", ["alt"], "https://e.com/p.png"]]]]),
        ("[x](javascript:alert(1))", [["p", ["[x](javascript:alert(1))"]]]),
        ("[x](/relative)", [["p", ["[x](/relative)"]]]),
        ("<b>no</b>", [["p", ["<b>no</b>"]]]),
        ("    four spaces *x*", [["p", ["four spaces ", ["em", ["x"]]]]]),
        ("snake_case_name", [["p", ["snake_case_name"]]]),
    ],
)
def test_a_text_becomes_nodes(text: str, nodes: Any) -> None:
    assert tree(text) == nodes


@pytest.mark.parametrize(
    "text", ["[" * 16_000, "*a_ " * 4_000, "`" * 16_000, "> " * 8_000, "- " * 8_000, "![" * 8_000,
             "<a " * 5_000, "[a](" * 4_000, "\\" * 16_000, "&" * 16_000, "**a" * 5_000]
)  # fmt: skip
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    tree(text)
    assert time.process_time() - began < 5  # what grows with the square takes minutes


def words(nodes: list[Any]) -> str:
    return "".join(node if isinstance(node, str) else words(node[1]) for node in nodes)


@pytest.mark.parametrize(
    "mark", ["> ", "- ", "1. ", "* ", "- 1. ", ">", "> - ", "*", "**", "_", "["]
)
@pytest.mark.parametrize("depth", [1, 5, 8, 9, 12, 25, 200])
def test_no_word_is_lost_however_deep_it_stands(mark: str, depth: int) -> None:
    for text in (mark * depth + "hello", "\n".join("  " * n + "- hello" for n in range(depth))):
        nodes = tree(text)
        assert nodes is None or "hello" in words(nodes)
        assert nodes is None or words(nodes).count("hello") == text.count("hello")


def test_a_very_long_text_stays_plain() -> None:
    assert tree("*x* " * MAX_CHARACTERS) is None

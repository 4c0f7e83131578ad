"""The markdown of a bot's message as a tree of nodes; the server makes no markup from it.

A subset of CommonMark: paragraphs, emphasis, strong, strikethrough, code, lists, quotes, headings,
rules and links of the schemes SCHEMES. Everything else stays plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

SCHEMES = ("http", "https", "mailto", "tel")

MAX_CHARACTERS = 16_384
"""Characters of a text that is parsed; a longer one stays plain."""

Node = str | list[Any]
"""A text; or a name, a list of nodes and, for a link, its address: `["a", ["here"],
"https://…"]`.
"""

_MARKED = re.compile(
    r"[*_`~\[]|<\w|&[#\w]|\\[^\w\s]|^ {0,3}(?:>|(?:#{1,6}|[-+]|\d{1,9}[.)])(?:\s|$)|---)", re.M
)
_NAMES = {
    "paragraph": "p", "heading": "h", "strong": "strong", "em": "em", "s": "s",
    "bullet_list": "ul", "ordered_list": "ol", "list_item": "li", "blockquote": "blockquote",
    "hr": "hr", "hardbreak": "br", "code_inline": "code", "fence": "pre",
}  # fmt: skip


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802  # the name markdown-it calls
        try:
            return urlsplit(url).scheme.lower() in SCHEMES
        except ValueError:
            return False


_PARSER = _Parser("commonmark", {"html": False}).enable("strikethrough")
_PARSER.disable(["code", "lheading", "reference", "html_block", "html_inline"])
_DEEPEST = _PARSER.options["maxNesting"] - 1


def tree(text: str) -> list[Node] | None:
    """A text's nodes; None for plain text."""
    if len(text) > MAX_CHARACTERS or not _MARKED.search(text):
        return None
    tokens = _PARSER.parse(text)
    if any(token.level >= _DEEPEST for token in tokens):  # the parser drops deeper nodes
        return None
    return list(_nodes(SyntaxTreeNode(tokens)))


def _nodes(parent: SyntaxTreeNode) -> Iterator[Node]:
    for node in parent.children:
        if node.type == "softbreak":
            yield "\n"
        elif node.type == "text":
            yield from [node.content] if node.content else []
        elif node.type == "inline" or node.hidden:
            yield from _nodes(node)
        elif node.type in ("link", "image"):
            yield _link(node)
        elif node.type in ("code_inline", "fence"):
            yield [_NAMES[node.type], [node.content]]
        else:
            yield [_NAMES[node.type], list(_nodes(node))]


def _link(node: SyntaxTreeNode) -> Node:
    """Turns a picture into a link, so that it is fetched only when someone follows it."""
    address = str(node.attrs.get("src") or node.attrs.get("href"))
    return ["a", list(_nodes(node)) or [node.content or address], address]

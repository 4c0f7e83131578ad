"""What the beginning of a JSON document shows, cut off anywhere."""

from __future__ import annotations

import re
from codecs import BOM_UTF8

_SHORT = re.compile(rb'\s*("(?:[^"\\]++|\\.)*+"|-?[0-9]+)', re.DOTALL)
_TOKEN = re.compile(rb'("(?:[^"\\]++|\\.)*+")(\s*:)?|[][{}]', re.DOTALL)


def begins_with(head: bytes, *brackets: str) -> set[str]:
    """The keys of a document's first object within these brackets; empty if it begins otherwise.

    head: the beginning of a document, cut off anywhere.
    """
    keys: set[str] = set()
    opened: list[str] = []
    for token in _TOKEN.finditer(head.removeprefix(BOM_UTF8)):
        if (string := token[1]) is not None:
            if token[2] and tuple(opened) == brackets:
                keys.add(string[1:-1].decode(errors="replace"))
            continue
        if token[0] in (b"{", b"["):
            opened.append(token[0].decode())
            if len(opened) <= len(brackets) and tuple(opened) != brackets[: len(opened)]:
                break
        elif not opened or tuple(opened) == brackets:
            break
        else:
            opened.pop()
    return keys


def member_of(head: bytes, field: str) -> bytes | None:
    """The JSON of an object's text or whole number with that name; head may be cut off anywhere."""
    depth = 0
    wanted = b'"%s"' % field.encode()
    for token in _TOKEN.finditer(head):
        if token[1] is None:
            depth += 1 if token[0] in (b"{", b"[") else -1
        elif token[2] and depth == 1 and token[1] == wanted:
            value = _SHORT.match(head, token.end())
            return value[1] if value else None
    return None

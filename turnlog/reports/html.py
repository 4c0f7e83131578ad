"""HTML pages made of elements. Text is always escaped, and nothing is inserted as markup."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree

from turnlog.reports.text import visible

Element = ElementTree.Element
Child = Element | str | int | float | None


def element(tag: str, *children: Child | Iterable[Child], **attributes: str) -> Element:
    """An element. Strings become its text, iterables its children in order.

    An attribute's name may end in `_` (`class_`). No attribute takes an address or a script.
    """
    result = Element(tag, {name.rstrip("_"): visible(value) for name, value in attributes.items()})
    for child in children:
        if child is None or isinstance(child, Element | str | int | float):
            _put(result, child)
        else:
            for part in child:
                _put(result, part)
    return result


def _put(parent: Element, child: Child) -> None:
    if child is None:
        return
    if isinstance(child, Element):
        parent.append(child)
        return
    for number, line in enumerate(str(child).split("\n")):
        if number:
            parent.append(Element("br"))
        _write(parent, visible(line))


def _write(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(title: str, css: str, *body: Child | Iterable[Child]) -> bytes:
    """A whole page that needs no other file, runs no script and loads nothing."""
    style = Element("style")
    style.text = css
    head = element(
        "head",
        element("meta", charset="utf-8"),
        Element("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title.replace("\n", " ")),
        style,
    )
    whole = element("html", head, element("body", *body), lang="en")
    text = ElementTree.tostring(whole, encoding="unicode", method="html")
    return b"<!doctype html>\n" + text.encode("utf-8", "backslashreplace") + b"\n"


def css_text(text: str) -> str:
    """A text as a string in a style sheet. It cannot end the string or the sheet."""
    plain = (
        c if c.isascii() and (c.isalnum() or c in " .,:-+") else f"\\{ord(c):x} " for c in text
    )
    return f'"{"".join(plain)}"'

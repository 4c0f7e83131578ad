"""Rasa's YAML training files, written entry by entry.

Needs the extra `turnlog[rasa]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

from turnlog.extras import needed

_HEADER = '# Written by turnlog · https://rasa.com/docs/rasa/training-data-format\nversion: "3.1"\n'
"""Not all ASCII on purpose: Rasa resolves backslashes in ASCII files."""


class Block(str):
    """A text that is written as a block of lines (`|`), where YAML allows it."""

    __slots__ = ()


def write_yaml(key: str, entries: Iterable[Any], out: BinaryIO) -> None:
    """A file whose `key` contains the list of entries."""
    dump = _dumper()
    out.write(f"{_HEADER}{key}:".encode())
    empty = True
    for entry in entries:
        out.write((b"\n" if empty else b"") + dump([entry]))
        empty = False
    if empty:
        out.write(b" []\n")


def write_members(members: Iterable[tuple[str, Any]], out: BinaryIO) -> None:
    """A file of these members, in order."""
    dump = _dumper()
    out.write(_HEADER.encode())
    for member in members:
        out.write(dump(dict([member])))


def _dumper() -> Any:
    with needed("rasa", "Rasa's YAML"):
        import yaml
    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[misc]  # a base that is Any: C or Python
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def block(dumper: Any, data: Block) -> Any:
        style = "|" if data.isprintable() or "\n" in data else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", str(data), style=style)

    Dumper.add_representer(Block, block)

    def dump(value: Any) -> bytes:
        document: bytes = yaml.dump(
            value, Dumper=Dumper, encoding="utf-8", allow_unicode=True, sort_keys=False, width=10**6
        )
        return document

    return dump

"""Rasa's DynamoDB tracker store: items in DynamoDB's JSON, with a type before each value.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/DataExport.Output.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.serializers.rasa.source import Place, RasaCodec

_SNIFF = re.compile(rb'"(?:sender_id|event)"\s*:\s*\{\s*"[SN]"\s*:')


class RasaDynamoCodec(RasaCodec):
    """An export's lines `{"Item": {…}}`, the answer of a scan `{"Items": […]}`, or items."""

    name = "rasa-dynamo"

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises a sender id with DynamoDB's type before it."""
        return _SNIFF.search(head) is not None

    def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
        """One dialogue an item."""
        for document, place in self.documents(path):
            for item in _items(document):
                try:
                    yield self._item(item, place)
                except FormatError as error:
                    yield error

    def _item(self, item: Any, place: Place) -> Dialogue:
        if not isinstance(item, dict) or not {"sender_id", "events"} <= item.keys():
            raise FormatError("not a tracker's item", file=place.file, line=place.line)
        try:
            held = {name: _value(item[name]) for name in ("sender_id", "events")}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            why = f"not a DynamoDB value: {error!r:.80}"
            raise FormatError(why, file=place.file, line=place.line) from error
        return self.dialogue(held["sender_id"], held["events"], place)


def _items(document: Any) -> list[Any]:
    if not isinstance(document, dict):
        return [document]
    if isinstance(several := document.get("Items"), list):
        return several
    return [document.get("Item", document)]


def _value(typed: Any) -> Any:
    """A plain value for `{"S": "text"}`, `{"N": "1.5"}`, `{"M": {…}}`, …"""
    ((kind, held),) = typed.items()
    return _READ[kind](held)


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdecimal() else float(text)


_READ: Mapping[str, Callable[[Any], Any]] = {
    "S": str,
    "N": _number,
    "BOOL": bool,
    "NULL": lambda _: None,
    "L": lambda held: [_value(item) for item in held],
    "M": lambda held: {name: _value(item) for name, item in held.items()},
    "SS": list,
    "NS": lambda held: [_number(item) for item in held],
    "B": str,
    "BS": list,
}
"""By DynamoDB's name of a type; bytes stay in base64."""

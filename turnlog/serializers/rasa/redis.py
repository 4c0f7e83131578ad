"""Rasa's Redis tracker store: one JSON string for each conversation, under `tracker:<id>`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnlog.domain.dialogue import Dialogue
from turnlog.errors import FormatError
from turnlog.extras import needed
from turnlog.serializers.rasa.dialogue import RasaDialogueCodec
from turnlog.serializers.rasa.source import Place, placed
from turnlog.serializers.shared.codec import url_of
from turnlog.serializers.shared.json_stream import Element

_SNIFF = re.compile(rb'"(?:\w+:)?tracker:')
_PREFIX = re.compile(r"(?:\w+:)?tracker:(.+)\Z", re.DOTALL)


class RasaRedisCodec(RasaDialogueCodec):
    """A live server, `redis://HOST:PORT/DB`, or a dump.

    A dump is an object of keys and values, or lines `{"key": …, "value": …}`; a value is the stored
    string or its parsed JSON.
    """

    name = "rasa-redis"
    writes = whole = False

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises keys that begin with `tracker:`."""
        return _SNIFF.search(head) is not None

    def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
        """One dialogue a key. A live server is only read."""
        url = url_of(path)
        if url is not None:
            yield from self._live(url)
            return
        for document, place in self.documents(path):
            for key, value in _pairs(document):
                yield self._value(key, value, place)

    def _live(self, url: str) -> Iterator[Dialogue | FormatError]:
        with needed("rasa", "Redis"):
            import redis

        place = Place(re.sub(r"//[^@/]*@", "//", url))
        try:
            with redis.Redis.from_url(url) as server:
                for key in sorted(server.scan_iter(match="*tracker:*", count=1000)):
                    yield self._value(key.decode("utf-8", "replace"), server.get(key), place)
        except redis.RedisError as error:
            why = f"the server cannot be read: {' '.join(str(error).split())}"
            raise FormatError(why, file=place.file) from error

    def _value(self, key: Any, value: Any, place: Place) -> Dialogue | FormatError:
        match = _PREFIX.match(key) if isinstance(key, str) else None
        name = match[1] if match else None
        try:
            if name is None:
                raise FormatError(f"{key!r:.60} is not a key of a tracker", file=place.file)
            return self._stored(name, value, place)
        except FormatError as error:
            error.conversation = error.conversation or name
            return placed(error, place.file)

    def _stored(self, name: str, value: Any, place: Place) -> Dialogue:
        if isinstance(value, str):
            value = value.encode("utf-8", "surrogatepass")
        if isinstance(value, bytes):
            if value[:1] == b"\x80":
                raise FormatError("is a Python pickle, which could run code; pickles are refused")
            keep = self.limits.conversation_bytes
            value = self.parsed(Element(value, 1, whole=len(value) <= keep), place)
        if not isinstance(value, dict):
            raise FormatError(f"{value!r:.60} is not a tracker")
        if "py/object" in value:
            return self.unpickled({**value, "name": name}, place)
        return self.dialogue(name, value.get("events"), place)


def _pairs(document: Any) -> list[tuple[Any, Any]]:
    if not isinstance(document, dict):
        return []
    if {"key", "value"} <= document.keys():
        return [(document["key"], document["value"])]
    return list(document.items())

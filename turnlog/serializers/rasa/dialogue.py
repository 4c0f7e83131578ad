"""Rasa's `Dialogue` in jsonpickle's JSON, of every version and class path."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.rewinds import RASA
from turnlog.domain.values import RawJson
from turnlog.errors import FormatError
from turnlog.serializers.rasa.kinds import BLANK, KINDS, Kind, kind_of
from turnlog.serializers.rasa.pickle import OBJECT, Pickled
from turnlog.serializers.rasa.source import Place, RasaCodec
from turnlog.serializers.rasa.writer import written
from turnlog.serializers.shared.codec import Example

PREFIXES = ("rasa.shared.core", "rasa.core", "rasa_core")

_CLASSES = re.compile(r"(?:rasa_core|(?:\w+\.)*core)\.(?:conversation\.Dialogue|events\.\w+)")
_BY_CLASS = {name: kind for kind in KINDS for name in kind.classes}
_MESSAGE = ("intent", "entities", "parse_data")
_EVERY: dict[str, Any] = {"metadata": {}}


class RasaDialogueCodec(RasaCodec):
    """`{"py/object": "….conversation.Dialogue", "name": …, "events": […]}`, one or one a line.

    Option `prefix` for writing: the package of the classes.
    """

    name = "rasa-dialogue"
    suffix = ".json"
    writes = whole = True
    libraries = ("jsonpickle",)
    settings = frozenset(("prefix", "turns"))

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises an object with a `py/object`."""
        return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" and b'"py/object"' in head

    def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
        """One dialogue a document. Nothing is unpickled; see `turnlog.serializers.rasa.pickle`."""
        for value, place in self.documents(path):
            try:
                yield self.unpickled(value, place)
            except FormatError as error:
                error.line = error.line or place.line
                error.file = error.file or place.file
                error.args = (str(error),)
                yield error

    def unpickled(self, value: Any, place: Place) -> Dialogue:
        """The dialogue of a document's value, as parsed from JSON."""
        document = Pickled(value, _CLASSES)
        plain = document.restored()
        if not isinstance(plain, dict) or not str(plain.get(OBJECT)).endswith(".Dialogue"):
            raise FormatError("not a Dialogue", file=place.file, line=place.line)
        name, objects = plain.get("name"), plain.get("events")
        sources = [_source(item) for item in objects] if isinstance(objects, list) else objects
        whole = self.dialogue(name, sources, place)
        for field, number in document.misled:
            why = f"py/id {number} names another value; the message's own is used"
            self.note(why, place, whole.name, field)
        return replace(whole, events=tuple(_with_lacks(whole.events)))

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: the whole dialogue, or its last turns."""
        dialogue = self.last_turns(dialogue)
        prefix = self.options.get("prefix") or PREFIXES[0]
        if prefix not in PREFIXES:
            why = f"unknown prefix {prefix!r}; known: {', '.join(PREFIXES)}"
            raise FormatError(why, field="prefix")
        lost = Counter[str]()
        pickled = _pickle(dialogue, prefix, lost)
        yield Example.of(dialogue, pickled, lost)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One dialogue a line."""
        for example in examples:
            out.write(example.content.encode() + b"\n")


# --- reading ------------------------------------------------------------------------------------


def _source(pickled: Any) -> Any:
    """An event's attributes in Rasa's JSON.

    `$rasa` names the attributes that the class of 3.6 has and the object lacks.
    """
    if not isinstance(pickled, dict) or not isinstance(pickled.get(OBJECT), str):
        return pickled
    kind = _BY_CLASS.get(pickled[OBJECT].rpartition(".")[2])
    if kind is None:
        return pickled | {"event": pickled[OBJECT]}
    left = {key: value for key, value in pickled.items() if key != OBJECT}
    source: dict[str, Any] = {"event": kind.name}
    lacks: list[str] = []
    for key, attribute in _attributes(kind).items():
        if attribute in left:
            source[key] = left.pop(attribute)
        elif attribute not in kind.optional:
            lacks.append(attribute)
            if key not in ("timestamp", "is_interrupted", "validate"):
                source[key] = BLANK.get(key)
    for attribute, constant in {**kind.class_constants, **_EVERY}.items():
        if attribute not in left:
            lacks.append(attribute)
        elif left[attribute] == constant:
            del left[attribute]
    if kind.name == "user":
        source["parse_data"] = _parse_data(left, source, lacks)
    source = {**dict(kind.constants), **source, **left}
    return source | {RASA: lacks} if lacks else source


def _attributes(kind: Kind) -> dict[str, str]:
    keys = [*kind.fields, *kind.optional, "timestamp"]
    if kind.event is e.EntitiesAdded:
        keys.append("entities")
    return {key: kind.attributes.get(key, key) for key in keys}


def _parse_data(left: dict[str, Any], source: dict[str, Any], lacks: list[str]) -> Any:
    """A message's parse_data; intent and entities of the message itself move into it if they are
    equal.
    """
    lacks += [attribute for attribute in _MESSAGE if attribute not in left]
    parsed = left.pop("parse_data", None)
    if "parse_data" in lacks:
        parsed = {"text": source["text"], "message_id": source["message_id"]}
        parsed |= {key: left.pop(key) for key in ("intent", "entities") if key in left}
    elif isinstance(parsed, dict):
        for key in ("intent", "entities"):
            if key in left and key in parsed and left[key] == parsed[key]:
                del left[key]
    return parsed


def _with_lacks(events: Iterable[e.Event]) -> Iterator[e.Event]:
    """The events, each with the attributes that its object lacked in their place."""
    for event in events:
        extra = event.extra or {}
        kept = extra.get(RASA) or {}
        if "own" in kept:
            kept = {key: value for key, value in kept.items() if key != "own"}
            kept["lacks"] = extra[RASA]["own"]
            event = replace(event, extra={**extra, RASA: kept})
        yield event


# --- writing ------------------------------------------------------------------------------------


def _pickle(dialogue: Dialogue, prefix: str, lost: Counter[str]) -> str:
    import jsonpickle

    events = []
    for event, source in written(dialogue.events, dialogue.first_event, lost):
        _refuse_tags(source, dialogue.name)
        if (pickled := _object(event, source, prefix)) is None:
            lost["Unknown"] += 1
        else:
            events.append(pickled)
    whole = _made(f"{prefix}.conversation", "Dialogue", {"name": dialogue.name, "events": events})
    return str(jsonpickle.encode(whole, context=jsonpickle.Pickler()))


def _object(event: e.Event, source: dict[str, Any], prefix: str) -> Any:
    if isinstance(event, e.Unknown):
        return _vanished(source, prefix)
    kind = kind_of(event)
    assert kind is not None
    kept = (event.extra or {}).get(RASA) or {}
    attributes: dict[str, Any] = {}
    left = dict(source)
    for key, attribute in _attributes(kind).items():
        attributes[attribute] = left.pop(key, BLANK.get(key))
    attributes |= {**kind.class_constants, **_EVERY, **left}
    if kind.name == "user":
        parsed = left.get("parse_data") or {}
        own = {key: parsed[key] for key in ("intent", "entities") if key in parsed}
        attributes = {**own, **attributes}
    attributes.pop("event", None)
    for attribute in kept.get("lacks", ()):
        attributes.pop(attribute, None)
    if kind.name == "reminder":
        attributes["trigger_date_time"] = _moment(attributes.get("trigger_date_time"))
    name = kind.classes[-1 if prefix == PREFIXES[0] else 0]
    return _made(f"{prefix}.events", name, attributes)


def _vanished(source: dict[str, Any], prefix: str) -> Any:
    """An event of a class that Rasa no longer has, as the type it was."""
    path = source.get("event")
    if not isinstance(path, str) or not _CLASSES.fullmatch(path):
        return None
    attributes = {key: value for key, value in source.items() if key not in ("event", OBJECT)}
    return _made(f"{prefix}.events", path.rpartition(".")[2], attributes)


def _made(module: str, name: str, attributes: dict[str, Any]) -> Any:
    """An object that jsonpickle writes under Rasa's class, whether or not Rasa is installed."""
    instance: Any = type(name, (), {"__module__": module, "__qualname__": name})()
    instance.__dict__.update({key: _copied(value) for key, value in attributes.items()})
    return instance


def _copied(value: Any) -> Any:
    """A copy in which no value is shared, so that jsonpickle writes no references."""
    if isinstance(value, RawJson):
        return json.loads(value.json)
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return value


def _refuse_tags(value: Any, conversation: str, place: str = "") -> None:
    """Raises FormatError for a key that jsonpickle's decoder would take for a tag."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key.startswith("py/") and (place or key != OBJECT):
                why = f"the key {key!r} is a command to jsonpickle's decoder; it is not written"
                raise FormatError(why, conversation=conversation, field=place or None)
            _refuse_tags(item, conversation, f"{place}.{key}" if place else key)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _refuse_tags(item, conversation, f"{place}[{number}]")


def _moment(iso: Any) -> Any:
    try:
        return datetime.fromisoformat(iso)
    except (TypeError, ValueError):
        return iso

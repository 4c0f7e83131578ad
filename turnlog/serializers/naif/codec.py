"""NaifJs's sessions.json (0.46): one object, with an entry for each session id.

An entry is stored unchanged in one ThreadImported after the events made from it; later events are
applied on top of it. An entry without later events is written byte for byte as NaifJs writes it.
"""

from __future__ import annotations

import json
import math
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, TypeGuard

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.plain import whole_characters
from turnlog.domain.streams import MARK
from turnlog.domain.values import RawJson, unholdable
from turnlog.errors import FormatError
from turnlog.serializers.naif.javascript import parse, stringify
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.json_value import depth_of

SECONDS_BELOW = 1e11
"""A smaller time is in seconds, any other in milliseconds."""

MAX_DEPTH_PARSED = 900
"""A file with deeper nesting is not parsed."""

_ENTRY = re.compile(rb'^\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\{\s*"(?:unit|state|time|active)"\s*:')
_NO_ID = re.compile(f'^$|[\ud800-\udfff\\x00]|^{MARK}|^".*"$', re.DOTALL)

Entry = dict[str, Any]


class NaifCodec(Codec):
    """NaifJs's sessions.json, which is parsed as a whole: its entries form one object."""

    name: ClassVar[str] = "naif"
    suffix: ClassVar[str] = ".json"
    reads: ClassVar[bool] = True
    writes: ClassVar[bool] = True
    whole: ClassVar[bool] = True

    def sniff(self, head: bytes, path: Path) -> bool:
        """Recognises an object whose first value is a session's entry."""
        return _ENTRY.match(head) is not None

    def read(self, path: Path) -> Iterator[Dialogue | FormatError]:
        """Parses the whole file first; then one dialogue an entry."""
        for index, (key, entry) in enumerate(self._sessions(path).items()):
            try:
                yield self._dialogue(key, entry, index)
            except FormatError as error:
                yield FormatError(error.why, file=str(path), conversation=_id(key))

    def _sessions(self, path: Path) -> dict[str, Any]:
        """The whole file. Raises FormatError before any entry is used."""
        source = path.read_bytes().removeprefix(BOM_UTF8)
        try:
            if depth_of(source, MAX_DEPTH_PARSED) > MAX_DEPTH_PARSED:
                raise FormatError(f"is nested deeper than {MAX_DEPTH_PARSED}", file=str(path))
            sessions = parse(source.decode())
        except UnicodeDecodeError as error:
            line = source.count(b"\n", 0, error.start) + 1
            raise FormatError(f"is not UTF-8: {error.reason}", file=str(path), line=line) from error
        except json.JSONDecodeError as error:
            why = f"is not JSON: {error.msg}, column {error.colno}"
            raise FormatError(why, file=str(path), line=error.lineno) from error
        if not isinstance(sessions, dict):
            raise FormatError("not an object of sessions", file=str(path))
        return sessions

    def _dialogue(self, key: str, entry: Any, index: int) -> Dialogue:
        if not isinstance(entry, dict):
            raise FormatError(f"a session must be an object, not {entry!r:.60}")
        stored = stringify(entry).encode()
        if len(stored) > self.limits.event_bytes:
            raise FormatError(f"has {len(stored):,} bytes, more than {self.limits.event_bytes:,}")
        if depth_of(stored, self.limits.depth) > self.limits.depth:
            raise FormatError(f"is nested deeper than {self.limits.depth}")
        extra: dict[str, Any] = {"index": index}
        if (id := _id(key)) != key:
            extra["key"] = RawJson(stringify(key).encode())
        imported = e.ThreadImported(entry=stored, timestamp=_last(entry), extra=extra)
        return Dialogue(id, (*_events(entry), imported))

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: the imported entry with later events applied; empty if none was imported."""
        overlay = _Overlay()
        for number, event in dialogue.numbered():
            overlay.take(number, event)
        if overlay.entry is None:
            return
        content = {
            "key": dialogue.name if overlay.key is None else overlay.key,
            "index": overlay.index,
            "entry": overlay.entry,
        }
        yield Example.of(dialogue, content, overlay.lost)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """Imported sessions in the order of their file, then the others in order of arrival."""
        contents = [example.content for example in examples]
        contents.sort(key=lambda content: (content["index"] is None, content["index"] or 0))
        sessions = {content["key"]: content["entry"] for content in contents}
        out.write(stringify(sessions, "  ").encode())


def _id(key: str) -> str:
    """The conversation's id: the session's, or its JSON if a conversation cannot have that id.

    A session id that reads like such JSON is written as JSON too, so that ids stay distinct.
    """
    return stringify(key) if _NO_ID.search(key) else key


# --- an entry as events -------------------------------------------------------------------------


def _events(entry: Entry) -> Iterator[e.Event]:
    unit, state = entry.get("unit"), entry.get("state")
    started = _name(unit) and _name(state)
    if _name(unit) and _name(state):
        yield e.ThreadStarted(unit=unit, state=state, timestamp=_seconds(entry.get("time")))
    for variables_of, held in _objects(entry.get("variables")):
        if _name(variables_of) and isinstance(held, dict):
            for name, value in held.items():
                if _name(name):
                    yield e.VariableSet(unit=variables_of, name=name, value=_held(value))
    yield from _message(e.UserUttered, entry.get("request"))
    yield from _message(e.BotUttered, entry.get("response"))
    if started and entry.get("active") is not True:
        yield e.ThreadEnded(reason="end")


def _message(kind: type[e.UserUttered | e.BotUttered], message: Any) -> Iterator[e.Event]:
    if isinstance(message, dict):
        text = message.get("text")
        words = whole_characters(text) if isinstance(text, str) else None
        yield kind(text=words, timestamp=_seconds(message.get("time")))


def _objects(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, dict) else ()


def _name(value: Any) -> TypeGuard[str]:
    """Whether a value is a string that the log can hold."""
    return isinstance(value, str) and unholdable(value) is None


def _held(value: Any) -> Any:
    return value if unholdable(value) is None else RawJson(stringify(value).encode())


def _seconds(time: Any) -> float | None:
    if isinstance(time, bool) or not isinstance(time, int | float):
        return None
    return float(time) if time < SECONDS_BELOW else time / 1000


def _last(entry: Entry) -> float | None:
    """Time of the session's last activity."""
    parts = (entry, entry.get("request"), entry.get("response"))
    times = (_seconds(part.get("time")) for part in parts if isinstance(part, dict))
    return max((time for time in times if time is not None), default=None)


# --- events over an entry -----------------------------------------------------------------------


class _Overlay:
    """The entry after the events taken so far; None before the thread begins."""

    def __init__(self) -> None:
        self.entry: Entry | None = None
        self.key: str | None = None
        self.index: int | None = None
        self.lost: Counter[str] = Counter()
        self._said: dict[int, str] = {}

    def take(self, number: int, event: e.Event) -> None:
        effect = _EFFECTS.get(type(event))
        if effect is None:
            self.lost[type(event).__name__] += 1
            return
        effect(self, event)
        if isinstance(event, e.UserUttered | e.BotUttered):
            part = "request" if isinstance(event, e.UserUttered) else "response"
            self._said = {n: held for n, held in self._said.items() if held != part}
            self._said[number] = part

    def imported(self, event: e.ThreadImported) -> None:
        extra = event.extra or {}
        self.entry = parse(event.entry.decode())
        self.index = extra.get("index")
        key = extra.get("key")
        self.key = parse(key.json.decode()) if isinstance(key, RawJson) else None
        self.lost.clear()

    def entered(self, event: e.ThreadStarted | e.StateEntered) -> None:
        new = {"unit": event.unit, "state": event.state, "time": _milliseconds(event)}
        if self.entry is None:
            self.entry = {**new, "active": True, "variables": {}}
        else:
            self.entry.update(new, active=True)

    def ended(self, event: e.ThreadEnded) -> None:
        if self.entry is not None:
            self.entry["active"] = False

    def variable_set(self, event: e.VariableSet) -> None:
        _object(_object(self._there(), "variables"), event.unit)[event.name] = event.value

    def variable_removed(self, event: e.VariableRemoved) -> None:
        variables = _object(self._there(), "variables")
        if event.name is None:
            variables.pop(event.unit, None)
        elif isinstance(unit := variables.get(event.unit), dict):
            unit.pop(event.name, None)

    def said(self, event: e.UserUttered) -> None:
        if self.entry is not None:
            self.entry["request"] = _spoken(event)

    def answered(self, event: e.BotUttered) -> None:
        if self.entry is not None:
            stateid = f"{self.entry.get('unit')}.{self.entry.get('state')}"
            self.entry["response"] = {**_spoken(event), "stateid": stateid}

    def redacted(self, event: e.MessageRedacted) -> None:
        part = self._said.get(event.message)
        if part is not None and self.entry is not None and isinstance(self.entry.get(part), dict):
            self.entry[part]["text"] = ""

    def _there(self) -> Entry:
        if self.entry is None:
            self.entry = {}
        return self.entry


def _object(within: Entry, name: str) -> Entry:
    """The object under a name, created if absent."""
    if not isinstance(within.get(name), dict):
        within[name] = {}
    held: Entry = within[name]
    return held


def _spoken(event: e.UserUttered | e.BotUttered) -> Entry:
    speech = (event.data or {}).get("speech", False)
    return {"text": event.text or "", "speech": speech, "time": _milliseconds(event)}


def _milliseconds(event: e.Event) -> int | None:
    """None also for a number out of the range of times: in milliseconds it may exceed any."""
    milliseconds = math.nan if event.timestamp is None else event.timestamp * 1000
    return round(milliseconds) if math.isfinite(milliseconds) else None


_EFFECTS: dict[type[e.Event], Callable[[_Overlay, Any], None]] = {
    e.ThreadImported: _Overlay.imported,
    e.ThreadStarted: _Overlay.entered,
    e.StateEntered: _Overlay.entered,
    e.ThreadEnded: _Overlay.ended,
    e.VariableSet: _Overlay.variable_set,
    e.VariableRemoved: _Overlay.variable_removed,
    e.UserUttered: _Overlay.said,
    e.BotUttered: _Overlay.answered,
    e.MessageRedacted: _Overlay.redacted,
}

"""Redacting: pseudonyms for what the log knows of people, and for what looks personal."""

from __future__ import annotations

import hmac
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain import events as e
from turnlog.domain.masks import saying
from turnlog.domain.traits import Utterance, entities_in, reminded_in
from turnlog.domain.values import RawJson
from turnlog.projections.persons import names_in
from turnlog.training.privacy.personal import LETTER, PersonalValue, found_in, kind_of
from turnlog.training.privacy.rewriting import RewrittenConversation

_NOBODYS = frozenset(
    ("true", "false", "yes", "no", "none", "null", "dontcare", "unknown", "any", "not mentioned")
)
"""Values that many slots have."""

_FEWEST_DIGITS = 4

_BY_PEOPLE = e.UserUttered | e.AgentUttered


def pseudonym(secret: bytes, value: str) -> str:
    """The same pseudonym for a value in all turns and exports of a log, in upper or lower case; for
    a value made of digits, the same for the same digits.
    """
    kind = kind_of(value)
    folded = _folded(unicodedata.normalize("NFKC", value))
    if kind in ("phone", "card", "account"):
        folded = "".join(filter(str.isalnum, folded))
    digest = hmac.digest(secret, b"\x1fvalue " + folded.encode("utf-8", "surrogatepass"), "sha256")
    return f"{kind}-{digest[:5].hex()}"


def _folded(text: str) -> str:
    """The value in any case of letters, with any spaces between its words."""
    return " ".join(text.casefold().split())


def known(events: Iterable[e.Event], leave: Collection[str] = ()) -> set[str]:
    """What the log knows of a conversation as a person's name, a slot or an entity.

    leave: slots and entities whose values may be read.
    """
    found = {name for event, text in _about(events) for name in _known_of(event, text, leave)}
    return {text for text in map(str.strip, found) if _is_worth_it(text)}


def _about(events: Iterable[e.Event]) -> Iterator[tuple[e.Event, str]]:
    """All events of a conversation, each with the text it describes: the message that it names,
    otherwise the user's last message.
    """
    texts: dict[int, str] = {}
    latest = ""
    for number, event in enumerate(events, 1):
        if isinstance(event, Utterance):
            texts[number] = event.text or ""
            latest = texts[number] if isinstance(event, e.UserUttered) else latest
        yield event, texts.get(getattr(event, "message", None) or 0, latest)


def _known_of(event: e.Event, text: str, leave: Collection[str]) -> Iterator[str]:
    yield from names_in(event)
    if isinstance(event, _BY_PEOPLE) and event.name:
        yield event.name
    elif isinstance(event, e.SlotSet) and event.name not in leave:
        yield from _leaves(event.value)
    for value in reminded_in(event):
        yield from _leaves(value)
    for entity in entities_in(event):
        if entity.entity not in leave:
            yield from _leaves(entity.value)
            yield text[entity.start : entity.end] if entity.start is not None else ""
    for frame in getattr(event, "frames", ()):
        for span in frame.spans or ():
            if span.slot not in leave and f"{frame.service}.{span.slot}" not in leave:
                yield from _leaves(span.value)
                yield text[span.start : span.end] if span.start is not None else ""


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def _is_worth_it(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    digits = sum(map(str.isdigit, text))
    is_text = letters > 1 or digits >= _FEWEST_DIGITS or (letters and not text.isascii())
    return bool(is_text) and text.casefold() not in _NOBODYS


class Redactor:
    """Of one conversation. values: what is known of it."""

    def __init__(self, secret: bytes, values: Collection[str]) -> None:
        self._secret = secret
        self._done: dict[str, RewrittenConversation] = {}
        self._values = {*map(_folded, values)}
        ordered = sorted(values, key=len, reverse=True)
        self._pattern = (
            re.compile("|".join(map(_looks, ordered)), re.IGNORECASE) if values else None
        )

    def events(self, events: Iterable[e.Event]) -> tuple[e.Event, ...]:
        """events: all events of the conversation."""
        return tuple(self._event(event, self._rewritten(text)) for event, text in _about(events))

    def _event(self, event: e.Event, about: RewrittenConversation) -> e.Event:
        changed = {name: self._any(getattr(event, name), about) for name in saying(type(event))}
        for name in ("user", "other", "actor", "message_id", "channel"):
            if (held := getattr(event, name, None)) is not None:
                changed[name] = self._name(held)
        if isinstance(event, _BY_PEOPLE) and event.name:
            changed["name"] = pseudonym(self._secret, event.name)
        done: e.Event = replace(event, **changed)
        if isinstance(done, e.ToolCalled) and done != event:  # the text would contain it again
            return replace(done, raw=None)
        return done

    def _any(self, value: Any, about: RewrittenConversation) -> Any:
        if isinstance(value, str):
            return self._rewritten(value).text
        if isinstance(value, bytes):
            return b"{}" if value else value
        if isinstance(value, msgspec.Struct):
            return self._struct(value, about)
        if isinstance(value, list | tuple):
            return type(value)(self._any(each, about) for each in value)
        if isinstance(value, dict):
            return {self._key(key): self._any(each, about) for key, each in value.items()}
        return self._scalar(value)

    def _scalar(self, value: Any) -> Any:
        """A number that is somebody's, or a text of which half a character is left."""
        if isinstance(value, RawJson) and value.json[:1] == b'"':
            text = json.loads(value.json)
            done = self._rewritten(text).text
            return value if done == text else RawJson(json.dumps(done).encode())
        if isinstance(value, bool | None | RawJson):
            return value
        is_personal = self._is_known(str(value)) or _is_card(value)
        return pseudonym(self._secret, str(value)) if is_personal else value

    def _name(self, name: str) -> str:
        return pseudonym(self._secret, name) if self._is_known(name) else self._key(name)

    def _key(self, key: str) -> str:
        """Only what has a form: a key may be the same word as a value that is known."""
        return self._replaced(key, list(found_in(key))).text

    def _struct(self, struct: Any, about: RewrittenConversation) -> Any:
        """The entity with its place in the new text; a value that was replaced gets the
        replacement.
        """
        changed = {
            name: self._any(getattr(struct, name), about) for name in saying(struct.__class__)
        }
        if getattr(struct, "start", None) is not None and struct.end is not None:
            start, end = about.place(struct.start, struct.end)
            changed |= {"start": start, "end": end}
            if getattr(struct, "value", None) == about.before[struct.start : struct.end]:
                changed["value"] = about.text[start:end]
        return replace(struct, **changed)

    def _is_known(self, text: str) -> bool:
        return _folded(text) in self._values

    def _rewritten(self, text: str) -> RewrittenConversation:
        """Cached: each event about a text asks for it again."""
        if text not in self._done:
            self._done[text] = self._rewrite(text)
        return self._done[text]

    def _rewrite(self, text: str) -> RewrittenConversation:
        places = list(found_in(text))
        if self._pattern is not None:
            places += [
                PersonalValue(*match.span(), "value") for match in self._pattern.finditer(text)
            ]
        return self._replaced(text, places)

    def _replaced(self, text: str, places: Iterable[PersonalValue]) -> RewrittenConversation:
        chosen = _apart(places)
        return RewrittenConversation(
            text, [(p.start, p.end, pseudonym(self._secret, text[p.start : p.end])) for p in chosen]
        )


def _is_card(number: float) -> bool:
    """Whether it begins as cards do, too; a time in microseconds may have the check digit."""
    return str(number)[0] in "3456" and kind_of(str(number)) == "card"


def _apart(places: Iterable[PersonalValue]) -> list[PersonalValue]:
    """The findings that do not overlap a longer one, in order."""
    chosen: list[PersonalValue] = []
    for place in sorted(set(places), key=lambda place: (place.start - place.end, place.start)):
        if all(place.end <= other.start or other.end <= place.start for other in chosen):
            chosen.append(place)
    return sorted(chosen)


def _looks(value: str) -> str:
    """A value as a whole word, with any spaces between its words."""
    words = r"\s+".join(map(re.escape, value.split()))
    before = rf"(?<!{LETTER})" if re.match(LETTER, value) else ""
    after = rf"(?!{LETTER})" if re.search(rf"{LETTER}\Z", value) else ""
    return before + words + after

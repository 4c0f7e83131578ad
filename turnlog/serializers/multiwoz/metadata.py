"""MultiWOZ's metadata tree: slots with a value, and the tree's ways to say that one has none.

The slots are events; frames contain the rest of the tree, each only what changed.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from turnlog.domain.annotations import Frame
from turnlog.domain.values import same
from turnlog.encoding.binary import encode_ordered
from turnlog.errors import FormatError

UNSET = ("", "not mentioned", "未提及")
"""Appears in place of an unknown value."""

PARTS = ("semi", "book")

Listed = dict[str, dict[str, Any]]
"""Part: slot: how its lack of a value is written."""


class Metadata:
    """The current tree, in both directions: `follow` reads trees, `tree` writes them.

    Most domains do not change from turn to turn and are then skipped.
    """

    def __init__(self) -> None:
        self.slots: dict[str, Any] = {}
        self.listed: dict[str, Listed] = {}
        self.booked: dict[str, list[Any]] = {}
        self._read: dict[str, bytes] = {}
        """Of each domain, its last tree."""
        self._held: dict[str, dict[str, Any]] = {}
        """Of each domain, the slots."""

    @property
    def has_content(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.listed)

    def follow(self, tree: Any) -> tuple[Frame, ...]:
        """Frames with the changes other than the slots, which are replaced."""
        if not isinstance(tree, dict):
            raise FormatError(f"expected an object, not {tree!r:.60}", field="metadata")
        read = {domain: encode_ordered(parts) for domain, parts in tree.items()}
        domains = tree.keys() | self.listed.keys()
        news = {domain for domain in domains if read.get(domain) != self._read.get(domain)}
        frames = [self._follow(domain, tree.get(domain, {})) for domain in sorted(news)]
        changed = tuple(frame for frame in frames if frame is not None)
        for frame in changed:
            self.learn(frame)
        _must_be_same(self.tree(self._slots(news), news), {d: tree[d] for d in news & tree.keys()})
        self._read = read
        self.slots = self._slots(self._held)
        return changed

    def _slots(self, domains: Iterable[str]) -> dict[str, Any]:
        return {name: value for domain in domains for name, value in self._held[domain].items()}

    def _follow(self, domain: str, parts: Any) -> Frame | None:
        field = f"metadata.{domain}"
        if not isinstance(parts, dict) or "." in domain:
            raise FormatError(f"unsupported form: {parts!r:.60}", field=field)
        self._held[domain] = {}
        known = self.listed.get(domain, {})
        listed: dict[str, dict[str, Any] | None] = {}
        for part, slots in parts.items():
            if part not in PARTS or not isinstance(slots, dict):
                raise FormatError("neither `semi` nor `book`", field=f"{field}.{part}")
            unset = self._set(domain, part, slots)
            news = _news(known.get(part, {}), unset, slots)
            if news or part not in known:
                listed[part] = news
        listed |= dict.fromkeys(known.keys() - parts.keys())
        booked = parts.get("book", {}).get("booked")
        if booked is not None and not isinstance(booked, list):
            raise FormatError(f"expected a list, not {booked!r:.60}", field=f"{field}.book.booked")
        changed = None if same(booked, self.booked.get(domain)) else booked
        return _frame(domain, changed, listed)

    def _set(self, domain: str, part: str, slots: dict[str, Any]) -> dict[str, Any]:
        """Takes the slots that have a value; returns the others."""
        unset = {}
        for slot, value in slots.items():
            if part == "book" and slot == "booked":
                continue
            if is_unset(value):
                unset[slot] = value
            else:
                self._held[domain][f"{domain}.{part}.{slot}"] = value
        return unset

    def learn(self, frame: Frame) -> None:
        """Takes in the contents of a frame."""
        if frame.booked is not None:
            self.booked[frame.service] = frame.booked
        domain = self.listed.setdefault(frame.service, {}) if frame.listed is not None else {}
        for part, news in (frame.listed or {}).items():
            if news is None:
                domain.pop(part, None)
                if part == "book":
                    self.booked.pop(frame.service, None)
                continue
            known = domain.setdefault(part, {})
            known |= news
            for slot in [slot for slot, word in known.items() if word is None]:
                del known[slot]
        if frame.listed and not domain:
            self.listed.pop(frame.service, None)

    def tree(self, slots: dict[str, Any], of: Container[str] | None = None) -> dict[str, Any]:
        """The metadata of a state. of: the wanted domains, by default all of them."""
        tree: dict[str, Any] = {
            domain: {part: dict(listed) for part, listed in parts.items()}
            for domain, parts in self.listed.items()
            if of is None or domain in of
        }
        for name, value in slots.items():
            domain, part, slot = name.split(".", 2)
            tree.setdefault(domain, {}).setdefault(part, {})[slot] = value
        for domain, booked in self.booked.items():
            if of is None or domain in of:
                tree.setdefault(domain, {}).setdefault("book", {})["booked"] = booked
        return tree


def is_unset(value: Any) -> bool:
    """Whether this is a way to say that a slot has no value."""
    return value is None or value == [] or value in UNSET


def _news(known: dict[str, Any], unset: dict[str, Any], slots: dict[str, Any]) -> dict[str, Any]:
    """What must be said for slots without a value; None for one that is no longer in the tree."""
    news = {slot: word for slot, word in unset.items() if known.get(slot) != word}
    return news | dict.fromkeys(known.keys() - slots.keys())


def _frame(
    domain: str, booked: list[Any] | None, listed: dict[str, dict[str, Any] | None]
) -> Frame | None:
    if not listed and booked is None:
        return None
    return Frame(domain, booked=booked, listed=listed or None)


def _must_be_same(rebuilt: dict[str, Any], tree: dict[str, Any]) -> None:
    """Refuses a tree that slots and frames cannot hold, rather than change it."""
    for domain in tree.keys() | rebuilt.keys():
        if encode_ordered(rebuilt.get(domain)) != encode_ordered(tree.get(domain)):
            held = f"{tree.get(domain)!r:.80}"
            raise FormatError(f"unsupported form: {held}", field=f"metadata.{domain}")

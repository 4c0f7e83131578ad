"""The text that a search scans: messages, slots that were set, and kinds of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from turnlog.domain import events as e
from turnlog.domain.commit import Commit
from turnlog.domain.plain import dumps
from turnlog.encoding import binary
from turnlog.projections.live_head import LiveHead
from turnlog.projections.view import StoredView, View, numbered, reading

FAILED = "error"
"""The kind of every event that reports a failure, in addition to its type's name."""

_FAILURES = e.BotFailed | e.DeliveryFailed | e.IncidentReported

_LETTERS = 4_000
"""The length after which the next event begins a new page."""

MARK = "\x1f"
"""Separates texts, slots and kinds in a page; each has one on both sides."""

_NEWEST = "newest"
"""The key of a conversation's newest page, which sorts after those of the others."""


class Page(NamedTuple):
    """The searchable text of consecutive events, in lower case, with marks between the parts.

    texts: what they say. slots: `name=value` of each that they set. kinds: of events.
    """

    texts: str = MARK
    slots: str = MARK
    kinds: str = MARK

    @property
    def is_full(self) -> bool:
        """Whether the next event begins a new page."""
        return len(self.texts) + len(self.slots) >= _LETTERS

    def with_event(self, event: e.Event) -> Page:
        """The page with one more event."""
        text = getattr(event, "text", None)
        said = f"{text.casefold()}{MARK}" if isinstance(text, str) else ""
        slots = _joined(self.slots, _slots(event))
        return Page(self.texts + said, slots, _joined(self.kinds, _kinds(event)))


class SearchProjection:
    """A conversation's pages: the newest, and each full one by the number of the event after it."""

    name: ClassVar[str] = "search"

    def apply(self, commits: Sequence[Commit], view: View) -> None:
        """See `Projection.apply`."""
        newest: dict[str, Page] = {}
        for commit in commits:
            name = commit.conversation
            if commit.first_event == 1 or name not in newest:
                newest[name] = _newest(view, commit)
            for number, event in commit.numbered():
                if newest[name].is_full:
                    view.put(name, numbered(number), [*newest[name]])
                    newest[name] = Page()
                newest[name] = newest[name].with_event(event)
        for name, page in newest.items():
            view.put(name, _NEWEST, [*page])


def pages(view: StoredView, heads: Sequence[LiveHead]) -> dict[str, list[Page]]:
    """The pages of several conversations."""
    checkpoint = view.log.checkpoint(SearchProjection.name)
    projected = checkpoint.position if checkpoint else 0
    found: dict[str, list[Page]] = {head.conversation: [] for head in heads}
    stored = [head.conversation for head in heads if head.position <= projected]
    with reading(SearchProjection.name):
        for _, name, _, value in view.log.entries_of(SearchProjection.name, stored):
            found[name].append(Page(*binary.decode(value)))
        for head in heads:
            if head.position > projected:
                entries = view.entries(head.conversation)
                found[head.conversation] = [Page(*page) for _, page in entries]
    return found


def slot_line(name: str, value: Any) -> str:
    """A slot's value as a page contains it; a text without its quotes."""
    text = value if isinstance(value, str) else dumps(value).decode(errors="replace")
    return f"{name}={text}".casefold()


def _newest(view: View, commit: Commit) -> Page:
    """The page that a commit continues."""
    stored = None if commit.first_event == 1 else view.get(commit.conversation, _NEWEST)
    return Page() if stored is None else Page(*stored)


def _joined(held: str, parts: Iterable[str]) -> str:
    for part in parts:
        if f"{MARK}{part}{MARK}" not in held:
            held += part + MARK
    return held


def _slots(event: e.Event) -> Iterator[str]:
    if isinstance(event, e.SlotSet):
        yield from _lines(event.name, event.value)
    elif isinstance(event, e.SlotsDeclared):
        for slot in event.slots:
            yield from _lines(slot.name, slot.initial)


def _lines(name: str, value: Any) -> Iterator[str]:
    """A line for the value, and for each item of a list."""
    if value is not None:
        yield slot_line(name, value)
    if isinstance(value, list):
        for each in value:
            yield slot_line(name, each)


def _kinds(event: e.Event) -> Iterator[str]:
    yield type(event).__name__.casefold()
    if isinstance(event, _FAILURES) or (isinstance(event, e.ToolReturned) and event.is_error):
        yield FAILED

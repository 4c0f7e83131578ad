"""The names of a person, and the conversations that they are in."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from turnlog.projections.view import KEYED, StoredView


class Person(NamedTuple):
    """ids: the HMAC of each name. conversations: those in which one of them is identified."""

    ids: frozenset[str]
    conversations: tuple[str, ...]


class _Log(Protocol):
    def view(self, name: str) -> StoredView: ...


def person_of(log: _Log, id: str) -> Person:
    """From the HMAC of one name, all names merged with it, in any conversation and any order."""
    view, waiting = log.view("persons"), [id]
    ids, conversations = set[str](), dict[str, None]()
    while waiting:
        if (name := waiting.pop()) not in ids:
            ids.add(name)
            for found in view.find(name):
                conversations[found.conversation] = None
                waiting += found.value
    return Person(frozenset(ids), tuple(conversations))


def people_in(log: _Log, conversation: str) -> frozenset[str]:
    """The HMACs of all names identified in a conversation, in any life of it."""
    found = log.view("persons").entries(conversation, KEYED)
    return frozenset(key.removeprefix(KEYED) for key, _ in found)

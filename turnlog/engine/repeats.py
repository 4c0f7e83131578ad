"""User messages that are sent again, and the events that come with them (ADR 17)."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256

from msgspec.structs import replace

from turnlog.domain.attachment import Attachment
from turnlog.domain.commit import Commit
from turnlog.domain.decide import decide
from turnlog.domain.errors import ConversationError
from turnlog.domain.events import Event, UserUttered
from turnlog.domain.history import GrowingHistory, History
from turnlog.domain.streams import KEPT_TOGETHER
from turnlog.domain.values import same
from turnlog.encoding.apart import Contents, attached
from turnlog.encoding.binary import encode
from turnlog.errors import Corrupt


def without_repeats(events: Sequence[Event], known: Collection[str] = ()) -> list[Event]:
    """Events without the known user messages, and without those recorded with them before."""
    seen, left = set(known), []
    for event in events:
        if isinstance(event, UserUttered) and event.message_id is not None:
            if event.message_id in seen:
                continue
            seen.add(event.message_id)
        left.append(event)
    return left


def is_retry(commit: Commit, given: Sequence[Event], history: History, contents: Contents) -> bool:
    """Whether events, decided again at the commit's place, give that commit.

    Their times are ignored, because a repeated message may have a new one. history: the commit's.
    """
    before = history.state(commit.first_event - 1)
    past = GrowingHistory(history, before, ())
    try:
        events, _ = decide(commit.conversation, before, given, history=past, now=commit.recorded)
    except ConversationError:
        return False
    return same(_comparable(events, contents), _comparable(commit.events, contents))


def rest_key(secret: bytes, conversation: str, given: Sequence[Event], contents: Contents) -> str:
    """The key under which the events with known messages are recorded once.

    Only the id of a user's message counts; its content was recorded with it.
    """
    said = [
        event.message_id or ""
        if isinstance(event, UserUttered) and event.message_id is not None
        else event
        for event in _comparable(given, contents)
    ]
    digest = hmac.digest(secret, encode((conversation, said)), "sha256")
    return f"{KEPT_TOGETHER}{digest.hex()[:32]}"


def _comparable(events: Iterable[Event], contents: Contents) -> list[Event]:
    """Events without their times, and with a digest for large values."""

    def put(held: bytes | Attachment, type: str | None) -> Attachment:
        if isinstance(held, bytes):
            return Attachment(sha256(held).hexdigest(), len(held), type)
        try:
            digest = (held if held.is_bound else contents.bound(held)).sha256()
        except Corrupt:  # a missing one is reported when it is recorded
            return held
        return Attachment(digest.hex(), held.length, type)

    return [*attached([replace(event, timestamp=None) for event in events], put)]

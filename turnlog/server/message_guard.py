"""The checks that every user's message must pass, on every channel."""

from __future__ import annotations

from turnlog.domain.events import UserUttered
from turnlog.domain.streams import check_id
from turnlog.server.errors import RequestRefused
from turnlog.server.message_rate import MessageRate

MAX_MESSAGE_ID_CHARACTERS = 128


class MessageGuard:
    """max_bytes: of a message's text in UTF-8."""

    def __init__(self, rate: MessageRate, max_bytes: int) -> None:
        self._rate = rate
        self._max_bytes = max_bytes

    def check(self, conversation: str, message: UserUttered) -> None:
        """Raises RequestRefused for a message that is too long, comes too fast or has an invalid
        id.

        Raises InvalidEvent for an id that no conversation can have.
        """
        check_id(conversation)
        if len((message.text or "").encode(errors="replace")) > self._max_bytes:
            why = f"message: longer than {self._max_bytes:,} bytes"
            raise RequestRefused(413, "TooLarge", why)
        _check_message_id(message.message_id)
        self._rate.take(conversation)


def _check_message_id(id: object) -> None:
    """Checks a message id, if there is one."""
    if id is None:
        return
    if not (isinstance(id, str) and 0 < len(id) <= MAX_MESSAGE_ID_CHARACTERS and id.isprintable()):
        why = f"message_id: 1 to {MAX_MESSAGE_ID_CHARACTERS} printable characters"
        raise RequestRefused(400, "BadRequest", why)

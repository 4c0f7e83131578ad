"""The booking bot without the demo's bug: it does not count courses as guests.

turnlog replay --all --bot turnlog.demo.mended:bot
"""

from __future__ import annotations

import re

import msgspec

from turnlog.bots import booking
from turnlog.bots.conversation import BotConversation
from turnlog.domain.events import Event, UserUttered

COURSES = re.compile(r"\bfor \w+ courses?\b", re.IGNORECASE)

tools = booking.tools


async def bot(conversation: BotConversation, message: UserUttered) -> list[Event | str]:
    """Answers one message as the booking bot does, ignoring what it says about courses."""
    text = COURSES.sub(lambda match: "-" * len(match[0]), message.text or "")
    return await booking.bot(conversation, msgspec.structs.replace(message, text=text))

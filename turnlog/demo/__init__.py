"""Made-up conversations with the booking bot, and a log of them to explore."""

from turnlog.demo.recording import CONVERSATIONS, fill

__all__ = ["CONVERSATIONS", "fill"]

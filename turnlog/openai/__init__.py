"""The OpenAI SDK's calls, recorded: needs `pip install turnlog[openai]`."""

from turnlog.openai.client import record as record

__all__ = ["record"]

"""Records the OpenAI SDK's calls: needs `pip install turnlog[openai]`."""

from turnlog.openai.client import record as record

__all__ = ["record"]

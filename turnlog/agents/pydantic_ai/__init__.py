"""pydantic-ai's ConversationStore on a log; needs `pip install turnlog[pydantic-ai]`."""

from turnlog.extras import needed

with needed("pydantic-ai", "pydantic-ai's conversation store"):
    from turnlog.agents.pydantic_ai.store import (
        TurnlogConversationStore as TurnlogConversationStore,
    )

__all__ = ["TurnlogConversationStore"]

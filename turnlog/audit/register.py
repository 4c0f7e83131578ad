"""The register of processing (GDPR, Article 30), as far as a log can fill it."""

from __future__ import annotations

from typing import Any

from turnlog.audit.evidence import Evidence, evidence

_CATEGORIES = {
    "messages": ("UserUttered", "BotUttered", "AgentUttered", "TextAdded"),
    "slots": ("SlotSet",),
    "identities": ("UserIdentified", "IdentityMerged"),
    "media": ("MediaAdded",),
    "tool arguments and results": ("ToolCalled", "ToolReturned"),
    "ratings": ("MessageRated",),
    "session values": ("ValueSet", "ValueAppended", "VariableSet"),
}
"""Categories of data, by the types of events that contain them."""

OUTSIDE = (
    "controller", "processors", "legal basis", "transfers to third countries", "time limits",
    "security measures",
)  # fmt: skip
"""Entries that a register needs and that no log knows."""


def register(log: Any) -> dict[str, Any]:
    """The register's entries by name. `not in the log` lists those that people must add."""
    return described(evidence(log))


def described(seen: Evidence) -> dict[str, Any]:
    """The entries that the evidence supports; see `register`."""
    return {
        "from": seen.first,
        "to": seen.last,
        "conversations": seen.conversations,
        "persons identified": len(seen.persons),
        "channels": dict(seen.channels),
        "categories of data": {
            name: count
            for name, types in _CATEGORIES.items()
            if (count := sum(seen.counts[type_] for type_ in types))
        },
        "recipients": dict(seen.recipients),
        "purposes": dict(seen.purposes),
        "deletions": seen.counts["ConversationDeleted"],
        "not in the log": list(OUTSIDE),
    }

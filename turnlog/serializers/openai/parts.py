"""The parts that a message's content may have, by role, as in OpenAI's own types.

Those types are validated lazily in use; here every part is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FORMATS = ("wav", "mp3")
_DETAILS = (None, "auto", "low", "high", "original")
_FILE = ("file_data", "file_id", "filename")

KINDS: Mapping[str, tuple[str, ...]] = {
    "system": ("text",),
    "developer": ("text",),
    "user": ("text", "image_url", "input_audio", "file"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
}
"""The types of part by role; a content of any other role has none."""

MEDIA = frozenset(
    ("image", "image_url", "input_image", "audio", "input_audio", "video", "video_url", "file",
     "input_file")
)  # fmt: skip
"""What is shown or heard, under the names of several interfaces."""

THOUGHTS = frozenset(("thinking", "redacted_thinking", "reasoning"))
"""A model's reasoning, in interfaces that put it among the parts."""


def kind_of(part: Any) -> str | None:
    """A part's type; None if it does not say, and "" for anything but a part."""
    kind = part.get("type") if isinstance(part, dict) else ""
    return kind if kind is None or isinstance(kind, str) else ""


def why_not(role: Any, part: Any) -> str | None:
    """Why a message of that role cannot contain a part; None if it can."""
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        return f"{part!r:.60} is not a part"
    if kind not in KINDS.get(role, ()):
        return f"{kind!r:.60} is not allowed in a message of the role {role!r:.30}"
    return None if _is_whole(kind, part) else f"{part!r:.60} is not a complete part"


def _is_whole(kind: str, part: Mapping[str, Any]) -> bool:
    held = part.get(kind)
    if kind in ("text", "refusal"):
        return isinstance(held, str)
    if not isinstance(held, dict):
        return False
    if kind == "image_url":
        return isinstance(held.get("url"), str) and held.get("detail") in _DETAILS
    if kind == "input_audio":
        return isinstance(held.get("data"), str) and held.get("format") in _FORMATS
    return all(isinstance(held.get(name, ""), str) for name in _FILE)


def says_nothing(content: list[Any]) -> bool:
    """Whether it contains only blank texts."""
    texts = (part.get("text", part.get("refusal")) for part in content)
    return all(text is not None and not text.strip() for text in texts)

"""Arguments of calls, parsed beside the text that the model wrote."""

from __future__ import annotations

from typing import Any

from turnlog.domain.plain import dumps
from turnlog.serializers.openai.messages import arguments


def exact(source: str) -> tuple[Any, str | None]:
    """As `arguments`; the text is kept as raw where the parsed ones do not give it back."""
    given, raw = arguments(source)
    return given, raw if raw is not None or dumps(given).decode() == source else source

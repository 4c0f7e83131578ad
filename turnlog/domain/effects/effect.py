"""A table of effects: each function writes one event's effect into a state that no one else
uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnlog.domain.event import Event
from turnlog.domain.state import State

Effects = dict[type[Event], Callable[[State, Any], None]]

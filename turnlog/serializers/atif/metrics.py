"""An answer's tokens, cost and time, in ATIF's form and in the log's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnlog.domain.events import Usage
from turnlog.serializers.shared.document import member

_FIELDS = {"prompt_tokens": "input", "completion_tokens": "output", "cached_tokens": "cached"}
_LISTS = ("prompt_token_ids", "completion_token_ids", "logprobs")
_EXTRA: dict[str, tuple[str, tuple[type, ...]]] = {
    "reasoning_tokens": ("reasoning", (int,)),
    "latency": ("latency", (int, float)),
    "time_to_first_token": ("first_token", (int, float)),
}
"""Members of `extra` that the log has fields for."""


def usage_of(metrics: Mapping[str, Any]) -> Usage:
    """Members that the log has no field for become `details`."""
    rest = _set(metrics)
    found: dict[str, Any] = {
        field: _taken(rest, name, int) for name, field in _FIELDS.items() if name in rest
    }
    if "cost_usd" in rest:
        found |= {"cost": _taken(rest, "cost_usd", (int, float)), "currency": "USD"}
    extra = dict(member(rest, "extra", dict)) if "extra" in rest else {}
    for name, (field, kinds) in _EXTRA.items():
        if isinstance(extra.get(name), kinds):
            found[field] = extra.pop(name)
    details = {**{name: held for name, held in rest.items() if name != "extra"}, **extra}
    return Usage(**found, details=details or None)


def _taken(metrics: dict[str, Any], name: str, kinds: type | tuple[type, ...]) -> Any:
    member(metrics, name, kinds)
    return metrics.pop(name)


def metrics_of(usage: Usage) -> dict[str, Any]:
    """Costs in another currency, and values that ATIF has no member for, go to `extra`."""
    details = dict(usage.details or {})
    found = {name: getattr(usage, field) for name, field in _FIELDS.items()}
    extra = {name: getattr(usage, field) for name, (field, _) in _EXTRA.items()}
    if usage.currency in (None, "USD"):
        found["cost_usd"] = usage.cost
    else:
        extra |= {"cost": usage.cost, "currency": usage.currency}
    found |= {name: details.pop(name, None) for name in _LISTS}
    extra |= details
    extra = _set(extra)
    return _set({**found, "extra": extra or None})


def _set(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: held for name, held in members.items() if held is not None}

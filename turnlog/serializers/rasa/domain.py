"""The slots that a Rasa `domain.yml` declares."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from turnlog.domain.events import SlotsDeclared
from turnlog.domain.slots import Slot
from turnlog.errors import FormatError
from turnlog.extras import needed

_TYPES = {"any", "text", "bool", "float", "list", "categorical"}
_FIELDS = {
    "type", "initial_value", "values", "min_value", "max_value", "influence_conversation",
}  # fmt: skip
_KNOWLEDGE_BASE = {
    "knowledge_base_listed_objects", "knowledge_base_last_object",
    "knowledge_base_last_object_type",
}  # fmt: skip


def read_domain(path: Path) -> SlotsDeclared:
    """The declaration that a conversation begins with. The files of a folder are merged.

    As in Rasa, an undeclared slot cannot be set, a domain with forms has `requested_slot`, and
    every domain has `session_started_metadata`.
    """
    files = sorted(path.rglob("*.y*ml")) if path.is_dir() else [path]
    slots: dict[str, Any] = {}
    forms = False
    actions: list[Any] = []
    for file in files:
        domain = _loaded(file)
        slots |= _mapping(domain, "slots", file)
        forms = forms or bool(domain.get("forms"))
        actions += domain.get("actions") or []
    declared = {name: _slot(name, slots[name], path) for name in slots}
    for name in _added(forms, actions):
        declared.setdefault(name, Slot(name, "any"))
    return SlotsDeclared(tuple(declared.values()), closed=True)


def _added(forms: bool, actions: list[Any]) -> list[str]:
    knowledge = sorted(_KNOWLEDGE_BASE) if "action_query_knowledge_base" in actions else []
    return [*(["requested_slot"] if forms else []), *knowledge, "session_started_metadata"]


def _loaded(file: Path) -> dict[str, Any]:
    with needed("rasa", "Rasa's domain"):
        import yaml

    try:
        loaded = yaml.safe_load(file.read_bytes())
    except (OSError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise FormatError(f"cannot be read: {why}", file=str(file)) from error
    if not isinstance(loaded, dict):
        raise FormatError("not a Rasa domain", file=str(file))
    return loaded


def _mapping(domain: dict[str, Any], field: str, file: Path) -> dict[str, Any]:
    value = domain.get(field) or {}
    if not isinstance(value, dict):
        raise FormatError(f"must be an object, not {value!r:.60}", file=str(file), field=field)
    return value


def _slot(name: Any, says: Any, path: Path) -> Slot:
    says = says or {}
    if not isinstance(name, str) or not isinstance(says, dict):
        raise FormatError(
            f"must be an object, not {says!r:.60}", file=str(path), field=f"slots.{name}"
        )
    kind = says.get("type", "any")
    extra = {key: value for key, value in says.items() if key not in _FIELDS}
    if kind not in _TYPES:
        extra["type"] = kind
    values = says.get("values")
    return Slot(
        name,
        kind if kind in _TYPES else "any",
        says.get("initial_value"),
        tuple(values) if isinstance(values, list) else None,
        says.get("min_value"),
        says.get("max_value"),
        says.get("influence_conversation", kind not in ("any", "unfeaturized")),
        extra or None,
    )

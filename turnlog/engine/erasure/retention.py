"""Retention rules in a log: which conversations to erase, and which to keep for now."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from msgspec import convert

from turnlog.domain.events import OutcomeRecorded, RetentionRulesSet
from turnlog.domain.retention import Aged, RetentionRule, rule_for
from turnlog.engine.erasure.holds import Hold, holds_on
from turnlog.engine.upkeep import record
from turnlog.errors import FormatError, UnknownConversation
from turnlog.projections.ledger import RULES

_UNITS = {"h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
_SPAN = re.compile(r"(\d+)([hdw])")
_FIELDS = {"name", "channel", "tag", "outcome", "floor", "ceiling"}


def read_rules(text: str, file: str) -> tuple[RetentionRule, ...]:
    """Rules from TOML with a table `[[rules]]` for each. Raises FormatError, naming the fault."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"is not TOML: {error}", file=file) from error
    tables = content.pop("rules", None)
    if content or not isinstance(tables, list) or not tables:
        raise FormatError("must contain [[rules]] and nothing else", file=file)
    rules = tuple(_rule(table, number, file) for number, table in enumerate(tables, 1))
    if len({rule.name for rule in rules}) < len(rules):
        raise FormatError("two rules have the same name", file=file)
    return rules


def _rule(table: Any, number: int, file: str) -> RetentionRule:
    where = f"rule {number}"
    if not isinstance(table, dict):
        raise FormatError(f"{where} is not a table", file=file)
    if strange := ", ".join(sorted(table.keys() - _FIELDS)):
        known = ", ".join(sorted(_FIELDS))
        raise FormatError(f"{where}: unknown {strange}; known: {known}", file=file)
    if wrong := [name for name, value in table.items() if not isinstance(value, str) or not value]:
        raise FormatError(f"{where}: {wrong[0]} is not a text", file=file)
    if "name" not in table:
        raise FormatError(f"{where} has no name", file=file)
    spans: dict[str, Any] = {
        name: _seconds(table.pop(name), f"{where}: {name}", file)
        for name in ("floor", "ceiling")
        if name in table
    }
    if spans.get("floor", 0) > spans.get("ceiling", float("inf")):
        raise FormatError(f"{where}: the floor is above the ceiling", file=file)
    return RetentionRule(**table, **spans)


def _seconds(text: str, where: str, file: str) -> float:
    if (span := _SPAN.fullmatch(text)) is None:
        raise FormatError(
            f"{where}: {text!r} is not a span; write hours, days or weeks: 12h, 183d, 26w",
            file=file,
        )
    return int(span[1]) * _UNITS[span[2]]


# --- in a log -----------------------------------------------------------------------------------


class RulesInForce(NamedTuple):
    """event: its number in the log's own stream; time: the log's clock, UTC seconds."""

    rules: tuple[RetentionRule, ...] = ()
    event: int = 0
    time: float = 0.0
    actor: str | None = None


def rules_in_force(log: Any) -> RulesInForce:
    """The rules set last, or none."""
    found = list(log.view("ledger").find(RULES))
    if not found:
        return RulesInForce()
    last = max(found, key=lambda each: each.event)
    rules = convert(last.value["rules"], tuple[RetentionRule, ...])
    return RulesInForce(rules, last.event, last.value["time"], last.value["actor"])


def set_rules(log: Any, rules: Sequence[RetentionRule], actor: str) -> None:
    """Set the log's rules; records nothing if they are in force already."""
    if rules_in_force(log).rules != tuple(rules):
        record(log, RetentionRulesSet(tuple(rules), actor=actor))


def aged(log: Any, id: str) -> Aged:
    """The facts that rules look at, for a conversation, deleted or not. Raises
    UnknownConversation.
    """
    state = log.head(id, deleted=True, restricted=True)[1]
    outcome, last = None, state.last
    for recorded in log.history(id).recorded_newest_first():
        last = recorded.recorded if last is None else last
        if isinstance(recorded.event, OutcomeRecorded):
            outcome = recorded.event.outcome
            break
    return Aged(id, state.channel, state.tags, outcome, last or 0.0)


class Kept(NamedTuple):
    """A conversation after its ceiling; why: the holds on it."""

    conversation: str
    rule: str
    why: str


class Retention(NamedTuple):
    """What rules demand at a moment. goes: conversations with their rules' names."""

    goes: list[tuple[str, str]]
    kept: list[Kept]


def planned(log: Any, rules: Sequence[RetentionRule], now: float) -> Retention:
    """Conversations after their ceilings, including deleted ones, and which of them are held."""
    plan = Retention([], [])
    for one in _every(log):
        rule = rule_for(rules, one)
        if rule is None or rule.ceiling is None or now - one.last <= rule.ceiling:
            continue
        if holds := holds_on(log, one.conversation):
            plan.kept.append(Kept(one.conversation, rule.name, "; ".join(map(str, holds))))
        else:
            plan.goes.append((one.conversation, rule.name))
    return plan


def _every(log: Any) -> Iterator[Aged]:
    deleted = [recorded.conversation for recorded in log.deletions()]
    for id in dict.fromkeys([*log.ids(), *deleted]):
        with suppress(UnknownConversation):  # erased meanwhile
            yield aged(log, id)


def floor_under(log: Any, id: str) -> Hold | None:
    """What keeps a conversation that is not old enough, in the form of a hold, or None."""
    in_force = rules_in_force(log)
    if not in_force.rules:
        return None
    one = aged(log, id)
    rule = rule_for(in_force.rules, one)
    if rule is None or rule.floor is None or log.clock() - one.last >= rule.floor:
        return None
    until = datetime.fromtimestamp(one.last + rule.floor, UTC)
    why = f"kept until {until:%Y-%m-%d} by the rule {rule.name!r}"
    return Hold(in_force.event, in_force.time, in_force.actor, why)

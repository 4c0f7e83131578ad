"""Prints and stores what a replay found."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnlog.cli import output
from turnlog.cli.settings import settings
from turnlog.domain.amounts import amount

if TYPE_CHECKING:
    from turnlog.replay.allowing.rules import Rules
    from turnlog.replay.divergence import Divergence
    from turnlog.replay.grouping.groups import DivergenceGroup
    from turnlog.replay.replayed import ReplayedConversation
    from turnlog.replay.runs.accepted import Accepted
    from turnlog.replay.runs.run import RunHead

Replayed = Sequence["ReplayedConversation"]


def show(results: Iterable[ReplayedConversation], count: int, *, first: bool) -> Replayed:
    """Prints each replay as it comes if that is JSON, and gives them all."""
    gathered: list[ReplayedConversation] = []
    found = _divergences(_counted(results, gathered, count), first)
    if settings().json:
        output.lines(_lines(found), columns=())
    else:
        _print(found, gathered)
    return gathered


def _counted(
    results: Iterable[ReplayedConversation], gathered: list[ReplayedConversation], count: int
) -> Iterator[ReplayedConversation]:
    """Collects them all, with a progress note now and then."""
    for one in results:
        gathered.append(one)
        yield one
        if len(gathered) % 100 == 0:
            output.note(f"{len(gathered):,} of {amount(count, 'conversation')}")


def _divergences(results: Iterable[ReplayedConversation], first: bool) -> Iterator[Divergence]:
    for one in results:
        yield from one.divergences[: 1 if first else None]


def _lines(found: Iterable[Divergence]) -> Iterator[dict[str, Any]]:
    """Each divergence as it is found, then the groups."""
    from msgspec.structs import asdict

    from turnlog.replay.grouping.groups import Grouping

    grouping = Grouping()
    for divergence in found:
        grouping.add([divergence])
        yield asdict(divergence)
    yield from (group.as_dict() for group in grouping.groups())


def _print(found: Iterable[Divergence], replayed: Replayed) -> None:
    from turnlog.replay.grouping.groups import grouped
    from turnlog.replay.replayed import not_replayed

    if groups := grouped(found):
        columns = ("group", "conversations", "turns", "first", "turn")
        output.table(columns, (_row(group) for group in groups))
        _print_tracebacks(groups)
    count = sum(bool(one.divergences) for one in replayed)
    left_out = not_replayed(replayed)
    apart = f"; turns not replayed: {left_out}" if left_out else ""
    output.say(f"conversations: {len(replayed):,}, diverging: {count:,}{apart}")


def _print_tracebacks(groups: Iterable[DivergenceGroup]) -> None:
    """The place where a bot raised, for the example of each group."""
    from turnlog.replay.grouping.failing import traceback

    for group in groups:
        if (trace := traceback(group.example.actual)) is not None:
            output.say(f"{group.example.conversation}, turn {group.example.turn}:")
            for line in trace.splitlines():
                output.say(f"  {line}")


def _row(group: DivergenceGroup) -> tuple[Any, ...]:
    example = group.example
    return group.group, group.conversations, group.turns, example.conversation, example.turn


# --- asides ---------------------------------------------------------------------------------------


def note_uncovered(rules: Rules, replayed: Replayed) -> None:
    """Notes the rules that matched nothing."""
    from turnlog.replay.comparing.coverage import entries

    covered = frozenset().union(*(one.covered for one in replayed))
    for entry in entries(rules):
        if entry not in covered:
            output.note(f"no conversation covers the rule {entry}")


def note_accepted(accepted: Accepted, replayed: Replayed, *, whole: bool) -> None:
    """whole: whether the whole log was replayed, so that unseen groups are gone."""
    known = [each.group for one in replayed for each in one.accepted]
    shown = [each.group for one in replayed for each in one.divergences]
    if known:
        groups = amount(len(set(known)), "group")
        output.note(f"accepted: {amount(len(known), 'turn')} of {groups}")
    for group in accepted.among(shown):
        output.note(f"accepted, but different now: {group}")
    for group in accepted.stale({*known, *shown}) if whole else ():
        output.note(f"accepted, but no longer seen: {group}")


def note_next(replayed: Replayed, out: Path | None) -> None:
    """Next steps, for people at a terminal."""
    if not sys.stderr.isatty() or settings().json or not any(one.divergences for one in replayed):
        return
    if out is None:
        output.note("next: --out run.jsonl keeps the run, to accept groups and compare it later")
    else:
        output.note(f"next: turnlog accept {out} --group G --note TEXT, or turnlog compare {out} B")


def write_reports(replayed: Replayed, head: RunHead, junit: Path | None, html: Path | None) -> None:
    """head: without the bot's version, which the replay adds."""
    from msgspec.structs import replace

    from turnlog.reports.junit import junit as as_junit
    from turnlog.reports.replay import html as as_page

    whole = replace(head, version=next((one.version for one in replayed), None))
    for path, write in ((junit, as_junit), (html, as_page)):
        if path is not None:
            output.write(path, write(replayed, whole))

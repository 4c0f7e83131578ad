"""Replay in a bot team's own tests: a pytest plugin that comes with turnlog.

    def test_the_bot_still_answers_as_recorded(replay):
        replay("sqlite:///chat.db", "mybot:bot", accepted="accepted.toml", jobs=2)

Each group of differences is reported as a failed test of its own, `test_…[the group]`, with time,
group and the bot's version among its properties; the test itself fails too, and counts them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from turnlog.bots import Bot, LoadedBot
    from turnlog.engine.log import Turnlog
    from turnlog.replay.allowing.rules import Rules
    from turnlog.replay.divergence import Divergence
    from turnlog.replay.grouping.groups import DivergenceGroup
    from turnlog.replay.replayed import ReplayedConversation

Properties = list[tuple[str, object]]


class Replayer:
    """The value of the fixture `replay`; calling it passes or fails the test."""

    def __init__(self, node: pytest.Item) -> None:
        self._node = node

    def __call__(
        self,
        log: Turnlog | str,
        bot: Bot | str,
        ids: Iterable[str] | None = None,
        *,
        rules: Rules | Path | str | None = None,
        ignore: Iterable[str] = (),
        slots: Iterable[str] = (),
        masks: Iterable[str] = (),
        accepted: Path | str | None = None,
        jobs: int = 0,
        timeout: float = 30.0,
    ) -> None:
        """Replay these conversations, or all.

        log and bot: the objects, or their URL and name. rules: the object or its file; `ignore`,
        `slots` and `masks` are added. accepted: the file that `turnlog accept` writes. jobs:
        processes that share the work; 0 uses this one. timeout: seconds for an answer. Raises
        BotError if no turn was replayed.
        """
        __tracebackhide__ = True
        from turnlog.replay.allowing.rules import combined
        from turnlog.replay.replayed import check_something_was_replayed
        from turnlog.replay.runs.accepted import Accepted, load

        allowed = combined(rules, ignore, slots, masks)
        known = load(Path(accepted)) if accepted else Accepted()
        loaded = _loaded(bot)
        options = {
            "rules": allowed,
            "timeout": timeout,
            "jobs": jobs,
            "every": bool(known.accepted),
        }
        replayed = [known.applied(one, allowed) for one in _results(log, loaded, ids, options)]
        check_something_was_replayed(replayed)
        self._report(loaded if isinstance(loaded, str) else loaded.name, replayed)

    def _report(self, bot: str, replayed: Sequence[ReplayedConversation]) -> None:
        """Fail the test if there are groups, and report each group as a separate test."""
        __tracebackhide__ = True
        about: Properties = [("bot", bot), ("version", replayed[0].version or "")]
        self._node.user_properties += [*about, ("conversations", len(replayed))]
        groups = list(_groups(replayed))
        if not groups:
            return
        from turnlog.domain.amounts import amount

        diverging = sum(bool(one.divergences) for one in replayed)
        summary = f"{diverging} of {len(replayed)} conversations diverge"
        if hasattr(
            self._node.config, "workerinput"
        ):  # a worker of xdist reports only its own items
            texts = [f"{group.group}\n{text}" for group, text, _ in groups]
            pytest.fail("\n\n".join([summary, *texts]), pytrace=False)
        for group, text, seconds in groups:
            self._report_group(group, text, seconds, about)
        pytest.fail(f"{summary}: {amount(len(groups), 'group')}", pytrace=False)

    def _report_group(
        self, group: DivergenceGroup, text: str, seconds: float, about: Properties
    ) -> None:
        node = self._node
        node.session.testscollected += 1
        properties: Properties = [
            *about, ("group", group.group), ("conversations", group.conversations),
            ("turns", group.turns),
        ]  # fmt: skip
        name = _nodeid(node.nodeid, group.group)
        for when in ("call", "teardown"):
            report = pytest.TestReport(
                name,
                node.location,
                {},
                "failed" if when == "call" else "passed",
                text if when == "call" else None,
                when,
                duration=seconds if when == "call" else 0.0,
                user_properties=properties,
            )
            node.ihook.pytest_runtest_logreport(report=report)


def _loaded(bot: Bot | str) -> LoadedBot | str:
    from turnlog.bots import LoadedBot

    if isinstance(bot, str):
        return bot
    return LoadedBot(bot, getattr(bot, "tools", {}), getattr(bot, "__name__", "bot"))


def _results(
    log: Turnlog | str, bot: LoadedBot | str, ids: Iterable[str] | None, options: Mapping[str, Any]
) -> Iterator[ReplayedConversation]:
    import turnlog
    from turnlog.replay.running import many

    opened: Any = turnlog.open(log) if isinstance(log, str) else nullcontext(log)
    with opened as source:
        chosen = list(source.ids(trials=False) if ids is None else ids)
        yield from many.replay(source, chosen, bot, once=ids is None, **options)


def _groups(
    replayed: Sequence[ReplayedConversation],
) -> Iterator[tuple[DivergenceGroup, str, float]]:
    """Each group with its report, the shortest first, and the seconds spent on it."""
    from turnlog.replay.grouping.groups import grouped
    from turnlog.reports.divergences import as_text

    found: dict[str, list[Divergence]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    for one in replayed:
        for divergence in one.divergences:
            found[divergence.group].append(divergence)
        for key in {divergence.group for divergence in one.divergences}:
            seconds[key] += one.seconds
    groups = grouped(divergence for one in replayed for divergence in one.divergences)
    for group in groups:
        shortest = sorted(found[group.group], key=lambda one: (one.turn, one.conversation))
        yield group, as_text(shortest), seconds[group.group]


def _nodeid(test: str, group: str) -> str:
    """The test's name, with the group as its parameter, or its last one."""
    from turnlog.reports.text import visible

    begun = f"{test[:-1]}-" if test.endswith("]") else f"{test}["
    return f"{begun}{visible(group)}]"


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> Replayer:
    """Replays recorded conversations against a bot: see turnlog.testing.replay."""
    return Replayer(request.node)

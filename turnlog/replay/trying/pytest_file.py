"""A shortened conversation as a pytest file that fails until the bot answers as expected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pprint import pformat
from textwrap import indent
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain.events import Event, ToolCalled, ToolReturned, UserUttered
from turnlog.domain.plain import displayable
from turnlog.replay.allowing.rules import Rules
from turnlog.replay.record.calls import call_content
from turnlog.replay.record.turns import RecordedTurn, said_turns
from turnlog.replay.trying.minimise import Minimised

_FILE = '''\
"""{bot} does not answer as expected: {group}

`turnlog minimise` made this of {count} of {of} messages of the conversation {id}.
"""

from turnlog.testing.answers import check_answer

TALK = {talk}

EXPECTED = {expected}


def test_{name}():
    check_answer({bot!r}, TALK, EXPECTED{options})
'''

_WIDTH = 96


def pytest_file(found: Minimised, bot: str, rules: Rules) -> str:
    """Needs turnlog and the bot, by this name; contains messages, results and the expected answer.

    A fixed bot makes the calls that it made, or those recorded in these turns.
    """
    wanted = found.divergence
    *_, last = said_turns(found.events)
    options = [f", conversation={wanted.conversation!r}"]
    if rules != Rules():
        options.append(f", rules={_given(rules)!r}")
    return _FILE.format(
        bot=bot,
        group=_in_words(wanted.group),
        count=len(found.lines),
        of=found.of,
        id=_in_words(wanted.conversation),
        talk=_literal(_talk(found)),
        expected=_literal(event for _, event in last.answer),
        name=re.sub(r"\W+", "_", wanted.conversation).strip("_").lower() or "conversation",
        options="".join(options),
    )


def _given(rules: Rules) -> dict[str, Any]:
    """The rules in use, as in their file."""
    fields = msgspec.json.decode(msgspec.json.encode(rules))
    return {name: listed for name, listed in fields.items() if listed}


def _in_words(text: str) -> str:
    """A text that does not end a docstring."""
    return " ".join(text.replace("\\", "/").replace('"', "'").split())


def _literal(events: Iterable[Event]) -> str:
    plain = (displayable(_bare(event).as_dict()) for event in events)
    lines = (indent(pformat(event, width=_WIDTH, sort_dicts=False), "    ") for event in plain)
    return "".join(["[\n", *(f"{line},\n" for line in lines), "]"])


def _bare(event: Event) -> Event:
    """Without references to other events, and without the times of the bot's events."""
    bare = replace(event, cause=None, message_id=None)
    if not isinstance(event, UserUttered):
        bare = replace(bare, timestamp=None)
    if isinstance(event, ToolCalled | ToolReturned):
        bare = replace(bare, call_id=None)
    return bare


def _talk(found: Minimised) -> Iterator[Event]:
    """What precedes the first message; then each message with its calls."""
    yield from found.begin
    expected, actual = (list(said_turns(events)) for events in (found.events, found.actual))
    for number, line in enumerate(found.lines):
        yield line.message
        yield from _calls([expected[number], actual[number], line.recorded])
        yield from line.around


def _calls(sources: Sequence[RecordedTurn]) -> Iterator[Event]:
    """The calls of the first turn with their results, and those of other turns only."""
    seen: set[bytes] = set()
    for recorded in sources:
        calls = [(call, returned) for call, returned in recorded.calls if returned is not None]
        for call, returned in calls:
            if call_content(call) not in seen:
                yield call
                yield returned
        seen |= {call_content(call) for call, _ in calls}

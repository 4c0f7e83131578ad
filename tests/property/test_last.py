"""The last messages, read from the end, are the end of all of them."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from tests.property.test_laws import asks, continued, flat, messages, recorded, sizes
from turnlog.domain import branches
from turnlog.domain import events as e
from turnlog.testing.strategies import accepted

calls: st.SearchStrategy[e.Event] = st.one_of(
    st.builds(e.ToolCalled, st.just("f"), call_id=st.sampled_from(["1", "2"])),
    st.builds(e.ToolReturned, st.just("r"), call_id=st.sampled_from(["1", "2"])),
    st.builds(e.ReasoningAdded, st.text(max_size=3)),
    st.builds(e.BotFailed),
    st.builds(e.AnswerMeasured),
)
talks = (
    st.lists(asks | messages | messages | calls | continued, max_size=40).map(flat).map(accepted)
)


@given(talks, sizes, st.integers(0, 12), st.sampled_from([0, branches.NEAR]))
def test_the_last_messages_are_the_end_of_all_messages(
    asked: list[e.Event], chosen: list[int], count: int, near: int
) -> None:
    """near: branches left farther away than this are skipped."""
    conversation: Any = recorded(asked, chosen)
    every = list(conversation.messages())
    with patch.object(branches, "NEAR", near):
        assert conversation.last(count) == (every[-count:] if count else [])


def test_a_redaction_can_be_redacted() -> None:
    one, two, three = map(e.UserUttered, ("one", "two", "three"))
    events = [one, two, e.MessageRedacted(1), three, e.MessageRedacted(3)]
    conversation: Any = recorded(events, [1])
    every = list(conversation.messages())
    for count in range(1, 6):
        assert conversation.last(count) == every[-count:]


def test_reasoning_can_be_regenerated() -> None:
    conversation: Any = recorded([e.ReasoningAdded("so"), e.MessageRegenerated(1, "thus")], [1])
    [message] = conversation.messages()
    assert message.parts[0].text == "thus"

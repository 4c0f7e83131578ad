"""The contract of every format, as tests (needs pytest).

    class TestMyCodec(CodecContract):
        def create(self) -> Codec:
            return MyCodec()

        holds = st.builds(…)

`holds` are dialogues that the format round-trips unchanged; for all others it names its losses.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue
from turnlog.domain.fold import Fold
from turnlog.errors import FormatError
from turnlog.serializers.formats import codec, names
from turnlog.serializers.shared.codec import SNIFFED, Codec, Example
from turnlog.testing import strategies

_HEALTH = [HealthCheck.differing_executors, HealthCheck.too_slow]
_contract = settings(max_examples=25, deadline=None, suppress_health_check=_HEALTH)


class CodecContract(ABC):
    """Tests that every format passes; a subclass names the codec and its supported dialogues."""

    holds: st.SearchStrategy[Dialogue]

    @abstractmethod
    def create(self) -> Codec:
        """A new codec."""

    @_contract
    @given(data=st.data())
    def test_what_it_holds_comes_back_as_it_was(self, data: st.DataObject) -> None:
        """Supported dialogues round-trip unchanged."""
        dialogues = data.draw(several(self.holds))
        examples = self.examples(dialogues)
        assert [example.lost for example in examples] == [{} for _ in dialogues]
        assert [example.conversation for example in examples] == [d.name for d in dialogues]
        assert self.read(self.written(examples)) == dialogues

    @_contract
    @given(data=st.data())
    def test_the_same_examples_are_the_same_bytes(self, data: st.DataObject) -> None:
        """The same examples give the same bytes."""
        dialogues = data.draw(several(self.holds))
        assert self.written(self.examples(dialogues)) == self.written(self.examples(dialogues))

    @_contract
    @given(strategies.dialogues() | strategies.scraps())
    def test_what_it_cannot_hold_is_named(self, dialogue: Dialogue) -> None:
        """Any dialogue is refused by name, counted as lossy, or keeps its messages and slots."""
        try:
            examples = self.examples([dialogue])
        except FormatError as error:
            assert error.conversation == dialogue.name  # noqa: PT017  # it may also not raise
            return
        for example in examples:
            assert example.conversation == dialogue.name
            assert 1 <= example.first_event <= example.last_event + 1
            assert example.last_event <= len(dialogue.events)
            assert all(count > 0 for count in example.lost.values())
        back = self.read(self.written(examples))
        if back and not any(example.lost for example in examples):
            assert [summary(again) for again in back] == [summary(dialogue)]

    @_contract
    @given(data=st.data())
    def test_it_recognises_its_own_files_and_no_format_before_it_does(
        self, data: st.DataObject
    ) -> None:
        """A format detects its own files, and no earlier format claims them."""
        written = self.written(self.examples(data.draw(several(self.holds))))
        path = Path(f"x{self.create().suffix}")
        own = self.create()
        formats = [own] + [codec(name) for name in names() if name != own.name]
        registered = names().index(own.name) if own.name in names() else len(formats)
        before = [c.name for c in formats[1 : registered + 1] if c.reads]
        claiming = [c.name for c in formats if c.reads and c.sniff(written[:SNIFFED], path)]
        assert claiming[:1] == [own.name]
        assert not set(claiming) & set(before)

    @_contract
    @given(data=st.data())
    def test_a_truncated_file_gives_what_is_complete_first(self, data: st.DataObject) -> None:
        """A truncated file yields everything that is complete, and then an error."""
        dialogues = data.draw(several(self.holds))
        written = self.written(self.examples(dialogues))
        cut = data.draw(st.integers(0, len(written)))
        complete = [d for d in self._items(written[:cut]) if isinstance(d, Dialogue)]
        assert complete == dialogues[: len(complete)]
        ends = [len(self.written(self.examples(dialogues[:n]))) for n in range(len(dialogues) + 1)]
        assert len(complete) >= sum(end <= cut for end in ends[1:])

    @_contract
    @given(st.binary(max_size=200))
    def test_foreign_bytes_are_refused_in_words(self, junk: bytes) -> None:
        """Foreign bytes are refused with a message of one line."""
        for item in self._items(junk):
            assert isinstance(item, Dialogue) or "\n" not in str(item)

    # --- tools of the tests -----------------------------------------------------------------------

    def examples(self, dialogues: Iterable[Dialogue]) -> list[Example]:
        """The examples of dialogues."""
        made = self.create()
        return [example for dialogue in dialogues for example in made.examples(dialogue)]

    def written(self, examples: Iterable[Example]) -> bytes:
        """The bytes of a file with these examples."""
        with tempfile.TemporaryFile() as out:
            self.create().write(examples, out)
            out.seek(0)
            return out.read()

    def read(self, written: bytes) -> list[Dialogue]:
        """The dialogues in a file; fails if one is refused."""
        items = list(self._items(written))
        assert all(isinstance(item, Dialogue) for item in items), items
        return [item for item in items if isinstance(item, Dialogue)]

    def _items(self, written: bytes) -> Iterator[Dialogue | FormatError]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"x{self.create().suffix}"
            path.write_bytes(written)
            try:
                yield from self.create().read(path)
            except FormatError as error:
                yield error


def several(dialogues: st.SearchStrategy[Dialogue]) -> st.SearchStrategy[list[Dialogue]]:
    """Dialogues with different names."""
    drawn = st.lists(dialogues, min_size=1, max_size=3)
    return drawn.map(lambda each: list({dialogue.name: dialogue for dialogue in each}.values()))


def summary(dialogue: Dialogue) -> list[Any]:
    """What every format must keep: the messages of each turn, and the slots after it."""
    folded, turns = Fold(lambda: dialogue.events), []
    for turn in dialogue.turns():
        state = folded.take(turn.events)
        said = [
            (type(event), event.text)
            for event in turn.events
            if isinstance(event, e.UserUttered | e.BotUttered | e.AgentUttered)
        ]
        if turn.number:
            turns.append((said, dict(state.slots)))
    return turns

"""Conversations in which people show which answers they prefer, and what they meant by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import permutations
from random import Random
from typing import NamedTuple

from turnlog.domain import events as e
from turnlog.domain.dialogue import Dialogue

Texts = tuple[str, ...]


class Pair(NamedTuple):
    prompt: Texts
    chosen: Texts
    rejected: Texts


class Fork(NamedTuple):
    """event: of the origin, from which it continues. events: its own, one list for each fork."""

    event: int
    events: list[list[e.Event]]


class MadeUp(NamedTuple):
    """did: the actions, by name. labels: prompts, answers, and whether they are good."""

    dialogue: Dialogue
    pairs: set[Pair]
    labels: set[tuple[Texts, Texts, bool]]
    contradictions: int
    did: list[str]
    fork: Fork


@dataclass
class Said:
    """A message of the path; text: its last form."""

    text: str
    gone: bool = False


@dataclass
class Writer:
    """Writes one conversation; its intended preferences are resolved at the end."""

    random: Random
    name: str
    events: list[e.Event] = field(default_factory=list)
    path: list[Said] = field(default_factory=list)
    meant: list[tuple[list[Said], list[Said], list[Said]]] = field(default_factory=list)
    labelled: list[tuple[list[Said], str, bool]] = field(default_factory=list)
    contradictions: int = 0
    words: int = 0

    def word(self) -> str:
        self.words += 1
        return f"{self.random.choice(('yes', 'no', 'maybe', 'well'))} {self.words} in {self.name}"

    def add(self, event: e.Event) -> int:
        self.events.append(event)
        return len(self.events)

    def user(self, text: str | None = None) -> int:
        self.path.append(Said(text or self.word()))
        return self.add(e.UserUttered(self.path[-1].text))

    def bot(self, kind: type[e.BotUttered | e.AgentUttered] = e.BotUttered) -> int:
        self.path.append(Said(self.word()))
        return self.add(kind(self.path[-1].text))

    def prefer(self, prompt: list[Said], chosen: list[Said], rejected: list[Said]) -> None:
        self.meant.append((prompt, chosen, rejected))

    def rate(self, number: int, is_good: bool) -> None:
        good, bad = self.random.choice((("up", "down"), ("👍", "👎"), (1, -1)))
        self.add(e.MessageRated(number, good if is_good else bad))

    # --- what can happen in a turn --------------------------------------------------------------

    def plain(self) -> None:
        self.user()
        self.bot()

    def several(self) -> None:
        """Versions of an answer, of which the last is the best."""
        self.user()
        number = self.bot()
        prompt, answer = self.path[:-1], self.path[-1]
        old = []
        for _ in range(self.random.randint(1, 3)):
            old.append(Said(answer.text))
            answer.text = self.word()
            kind = self.random.choice((e.MessageEdited, e.MessageRegenerated))
            self.add(kind(number, answer.text))
        for each in old:
            self.prefer(prompt, [answer], [each])

    def edited_question(self) -> None:
        number = self.user()
        self.bot()
        self.path[-2].text = self.word()
        self.add(e.MessageEdited(number, self.path[-2].text))

    def again(self) -> None:
        """The answer is rewound and replaced by another one."""
        asked = self.user()
        prompt, left = [*self.path], []
        for _ in range(self.random.randint(1, 2)):
            left.append([self.bot() and self.path.pop()])
            kind = self.random.choice((e.ActionReverted, e.HistoryReplaced, e.HistoryContinued))
            self.add(kind(asked))
        self.bot()
        for each in left:
            self.prefer(prompt, [self.path[-1]], each)

    def asked_again(self) -> None:
        """The message is rewound with its answer, and said again."""
        before, path = len(self.events), [*self.path]
        self.user()
        asked = self.path[-1].text
        for _ in range(self.random.randint(1, 2)):
            self.bot()
        rejected = self.path[len(path) + 1 :]
        self.path = path
        self.add(e.UserUtteranceReverted(before))
        self.user(asked)
        prompt = [*self.path]
        self.bot()
        self.prefer(prompt, [self.path[-1]], rejected)

    def asked_otherwise(self) -> None:
        before, path = len(self.events), [*self.path]
        self.plain()
        self.path = path
        self.add(e.UserUtteranceReverted(before))
        self.plain()

    def redacted_and_asked_again(self) -> None:
        before, path = len(self.events), [*self.path]
        self.user()
        asked, number = self.path[-1].text, self.bot()
        self.path = path
        self.add(e.UserUtteranceReverted(before))
        self.user(asked)
        self.bot()
        self.add(e.MessageRedacted(message=number))

    def redacted_and_edited(self) -> None:
        self.user()
        number = self.bot()
        self.add(e.MessageEdited(number, self.word()))
        self.add(e.MessageRedacted(message=number))
        self.path[-1].gone = self.path[-2].gone = True

    def failed_and_asked_again(self) -> None:
        before, path = len(self.events), [*self.path]
        self.user()
        asked = self.path[-1].text
        self.bot()
        self.add(e.BotFailed())
        self.path = path
        self.add(e.UserUtteranceReverted(before))
        self.user(asked)
        self.bot()

    def branches(self) -> None:
        """Two answers, side by side; the one with which the user continues is better."""
        asked = self.user()
        prompt = [*self.path]
        number, first = self.bot(), self.path.pop()
        self.add(e.HistoryContinued(asked, branch=self.word()))
        other, second = self.bot(), self.path.pop()
        chosen, rejected = second, first
        if self.random.random() < 0.5:
            self.add(e.HistoryContinued(number, branch="main"))
            chosen, rejected = first, second
        self.path.append(chosen)
        self.prefer(prompt, [chosen], [rejected])
        if chosen is second:
            self.add(e.HistoryContinued(other, branch="main"))

    def rated_branches(self) -> None:
        """Two answers, of which the one rated higher is better, wherever it continues."""
        asked = self.user()
        prompt = [*self.path]
        numbers, said = [], []
        for at in range(2):
            if at:
                self.add(e.HistoryContinued(asked, branch=self.word()))
            numbers.append(self.bot())
            said.append(self.path.pop())
        self.path.append(said[1])
        best = self.random.randrange(2)
        for at in range(2):
            self.rate(numbers[at], at == best)
        self.prefer(prompt, [said[best]], [said[1 - best]])
        self.add(e.HistoryContinued(numbers[1], branch="main"))

    def taken_over(self) -> None:
        self.user()
        prompt = [*self.path]
        self.bot()
        self.add(e.HandoverStarted("Eva", actor=self.random.choice((None, "agent"))))
        self.bot(e.AgentUttered)
        self.add(e.HandoverEnded())
        self.prefer(prompt, [self.path[-1]], [self.path[-2]])

    def handed_over(self) -> None:
        """The bot itself hands over: its answer is not bad."""
        self.user()
        self.bot()
        self.add(e.HandoverStarted("Eva", actor="bot"))
        self.bot(e.AgentUttered)

    def asked_for_a_person(self) -> None:
        self.plain()
        self.user()
        self.add(e.HandoverStarted("Eva"))
        self.bot(e.AgentUttered)

    def rated(self) -> None:
        self.user()
        number, is_good = self.bot(), self.random.random() < 0.5
        self.rate(number, is_good)
        self.labelled.append((self.path[:-1], self.path[-1].text, is_good))

    def rated_then_edited(self) -> None:
        """A bad rating and an edit agree."""
        self.user()
        number = self.bot()
        self.rate(number, False)
        old = Said(self.path[-1].text)
        self.path[-1].text = self.word()
        self.add(e.MessageEdited(number, self.path[-1].text))
        self.prefer(self.path[:-1], [self.path[-1]], [old])

    def contradiction(self) -> None:
        """A good rating of an answer before an edit, or a bad one after it."""
        self.user()
        number, is_good = self.bot(), self.random.random() < 0.5
        prompt, old, new = self.path[:-1], self.path[-1].text, self.word()
        self.path[-1].text = new
        rated = e.MessageRated(number, "up" if is_good else "down")
        edited = e.MessageEdited(number, new)
        for event in (rated, edited) if is_good else (edited, rated):
            self.add(event)
        self.labelled.append((prompt, old if is_good else new, is_good))
        self.contradictions += 1

    def forked(self) -> Fork:
        """A question that the conversation and its forks answer each; the last of what happens."""
        asked = self.user()
        prompt, count = [*self.path], self.random.randint(1, 3)
        said = [Said(self.word()) for _ in range(1 + count)]
        here = self.add(e.BotUttered(said[0].text))
        forks: list[list[e.Event]] = [[e.BotUttered(each.text)] for each in said[1:]]
        goes_on = [self.random.random() < 0.5 for _ in said]
        for events, goes in zip([self.events, *forks], goes_on, strict=True):
            events += [e.UserUttered(self.word())] * goes
        better = goes_on
        if count == 1 and self.random.random() < 0.5:  # a rating counts, whatever follows
            better = self.random.choice(([True, False], [False, True]))
            self.rate(here, better[0])
            forks[0].append(e.MessageRated(asked + 2, "up" if better[1] else "down"))
        for chosen, rejected in permutations(range(len(said)), 2):
            if better[chosen] > better[rejected]:
                self.prefer(prompt, [said[chosen]], [said[rejected]])
        return Fork(asked, forks)


HAPPENINGS = (
    Writer.plain, Writer.several, Writer.edited_question, Writer.again, Writer.asked_again,
    Writer.asked_otherwise, Writer.redacted_and_asked_again, Writer.redacted_and_edited,
    Writer.failed_and_asked_again, Writer.branches, Writer.rated_branches, Writer.taken_over,
    Writer.handed_over, Writer.asked_for_a_person, Writer.rated, Writer.rated_then_edited,
    Writer.contradiction,
)  # fmt: skip


def made_up(seed: int, count: int) -> Iterator[MadeUp]:
    random = Random(seed)
    for number in range(count):
        name, did = f"made up {number}", []
        writer = Writer(random, name)
        for happening in random.choices(HAPPENINGS, k=random.randint(1, 6)):
            happening(writer)
            did.append(happening.__name__)
        yield _meant(writer, did, writer.forked())


def _meant(writer: Writer, did: list[str], fork: Fork) -> MadeUp:
    pairs = {
        Pair(_texts(prompt), _texts(chosen), _texts(rejected))
        for prompt, chosen, rejected in writer.meant
    }
    labels: set[tuple[Texts, Texts, bool]] = {
        (_texts(prompt), (text,), good) for prompt, text, good in writer.labelled
    }
    for prompt, chosen, rejected in pairs:
        labels |= {(prompt, chosen, True), (prompt, rejected, False)}
    dialogue = Dialogue(writer.name, tuple(writer.events))
    return MadeUp(dialogue, pairs, labels, writer.contradictions, did, fork)


def _texts(messages: list[Said]) -> Texts:
    return tuple(message.text for message in messages if not message.gone)

"""Writing: the examples of every part, their files and the manifest, whole or not at all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from msgspec.structs import replace

from turnlog.engine.log import Turnlog
from turnlog.errors import FormatError
from turnlog.files import OutgoingFile, is_stream, sha256_of
from turnlog.serializers.shared.codec import Example
from turnlog.training import manifest
from turnlog.training.card.card import Card
from turnlog.training.leaks import Leaks
from turnlog.training.ledger import Ledger
from turnlog.training.making import Making
from turnlog.training.manifest import File, Totals
from turnlog.training.outcome import ExampleOutcome
from turnlog.training.pins import Pins
from turnlog.training.placement import Placement, Placer
from turnlog.training.plan import ExportPlan
from turnlog.training.processes import Opener, outcomes
from turnlog.training.select import PastConversation, Selection, selected
from turnlog.training.words import WordStore

Progress = Callable[[int], None]
"""Told how many conversations are done."""


def export(
    log: Turnlog,
    plan: ExportPlan,
    out: Path,
    *,
    progress: Progress = lambda done: None,
    ledger: Ledger | None = None,
    pins: Pins | None = None,
    card: Card | None = None,
    jobs: int = 1,
    opener: Opener | None = None,
) -> Totals:
    """Write the files and the manifest; nothing at all where a conversation is at fault, or a leak.

    Then `faulty` or `leaks` names them and `files` is empty; with `skip_faulty` the faulty ones are
    named and the rest is written. One whose values the format cannot hold is named in `refused`
    and stops nothing. ledger: records the export before its files have their names. pins: what
    alone is written, where the plan is pinned. card: what describes a folder of them, beside them.
    jobs: processes that make the examples, each with the log that `opener` opens; parts, pairs,
    pins and chosen conversations take one.
    """
    _check_position(log, plan.position)
    beside = card.files(plan, out) if card else []
    run = _Run(log, plan, progress, pins, card)
    if opener is not None and jobs > 1 and not (plan.split or plan.ids or pins):
        run.share(jobs, opener)
    files = plan.files(out)
    folder = None if plan.split is None else out
    if folder is not None and is_stream(folder):
        raise FormatError("takes a folder where there are parts", file=str(out), field="--out")
    note = manifest.place(out, folder=folder is not None) or Path(os.devnull)
    with _unfinished([*files.values(), note, *beside], folder=folder) as (opened, finish):
        id = None if ledger is None else ledger.export_id(plan)
        writer = manifest.ManifestWriter(opened[note], run.outside, id)
        for name, path in files.items():
            examples = writer.noted(run.examples(name), path.name)
            run.codec.write(run.counted(examples), opened[path])
            run.totals.files[path.name] = _described(opened[path], run.written)
        totals = run.close()
        if totals.stop(plan):
            return replace(totals, files={})
        if card is not None:
            card.write(opened, plan, totals)
            totals.card = {path.name: _digest(opened[path]) for path in beside}
        writer.close(run.names.outside(totals))
        if ledger is not None:
            opened[note].flush()
            ledger.record(plan, run.conversations, opened[note])
        finish()
    return totals


def _check_position(log: Turnlog, position: int) -> None:
    last = log.store.reader.last_position()
    if not 0 <= position <= last:
        why = f"position {position} does not exist; the last is {last}"
        raise FormatError(why, field="--at-position")


class _Run:
    """Makes examples, part by part, and adds up what there is to tell."""

    def __init__(
        self,
        log: Turnlog,
        plan: ExportPlan,
        progress: Progress,
        pins: Pins | None,
        card: Card | None,
    ) -> None:
        self.totals = Totals(
            shared={}, held={}, faulty=[], refused=[], nothing=[], files={}, contradictions=[]
        )
        self.written = 0
        self.conversations: list[str] = []
        self._log = log
        self._plan = plan
        self._progress = progress
        self._lost: Counter[str] = Counter()
        self._noted: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._leaks = Leaks()
        self._done = 0
        self._pins = pins
        self._card = card
        self._jobs: tuple[int, Opener] | None = None
        self._making = Making(log, plan, pins)
        self.codec, self.names = self._making.codec, self._making.names
        self._placement = None if plan.split is None or pins else self._placed()

    @property
    def outside(self) -> ExportPlan:
        """The plan as a manifest has it."""
        ids = self._plan.ids
        return replace(self._plan, ids=ids and sorted(map(self.names.shown, ids)))

    def _placed(self) -> Placement:
        with TemporaryFile() as file:
            placer = Placer(self._plan, WordStore(file))
            for done, conversation in enumerate(selected(self._log, self._plan)):
                self._progress(done)
                written = self._making.seen(conversation).events
                placer.take(conversation.id, conversation.began, conversation.user, written)
            placement = placer.placed()
        self.totals.together, self.totals.between = placement.together, placement.between
        return placement

    def examples(self, name: str | None) -> Iterator[Example]:
        """Those of one part, in order of conversation, with their events as the log counts them."""
        self.written = 0
        for examples in self._shared() or self._made(name):
            yield from examples
            self._done += 1
            self._progress(self._done)

    def share(self, jobs: int, opener: Opener) -> None:
        """Have other processes make them."""
        self._jobs = jobs, opener

    def _shared(self) -> Iterator[Sequence[Example]] | None:
        if self._jobs is None:
            return None
        chosen = Selection(self._log, self._plan).chosen()
        each = ((head.conversation, held) for head, _, held in chosen)
        made = outcomes(*self._jobs, self._plan, each)
        return (self._taken(outcome, None) for outcome in made)

    def _made(self, name: str | None) -> Iterator[Sequence[Example]]:
        return (self._of(conversation, name) for conversation in self._conversations(name))

    def _conversations(self, name: str | None) -> Iterator[PastConversation]:
        if self._pins is not None:
            return self._pins.conversations(self._log, name)
        return selected(self._log, self._plan, wanted=partial(self._wanted, name))

    def _wanted(self, name: str | None, id: str) -> bool:
        return self._placement is None or self._placement.parts.get(id) == name

    def counted(self, examples: Iterator[Example]) -> Iterator[Example]:
        for example in examples:
            self.written += 1
            self._lost.update(example.lost)
            self._noted.update(example.noted)
            yield example

    def close(self) -> Totals:
        self.totals.lost = dict(sorted(self._lost.items()))
        self.totals.noted = dict(sorted(self._noted.items()))
        self.totals.left_out = dict(sorted(self._left_out.items()))
        if self._plan.pinned and self._pins is not None:
            self._pins.check()
            self.totals.revoked = self._pins.revocation()
        if self._plan.split is not None:
            self.totals.leaking, self.totals.leaks = self._leaks.found()
        return self.totals

    def _of(self, conversation: PastConversation, name: str | None) -> Sequence[Example]:
        conversation = self._making.redacted(conversation)
        seen = self._making.seen(conversation)
        dialogue = self._making.dialogue(conversation, seen)
        outcome = self._making.outcome(
            conversation, dialogue, seen, lambda id: self._wanted(name, id)
        )
        examples = self._taken(outcome, name)
        if examples and name is not None:
            self._leaks.look(name, conversation, dialogue)
            if self._card is not None:
                self._card.take(name, dialogue, examples)
        return examples

    def _taken(self, outcome: ExampleOutcome, name: str | None) -> Sequence[Example]:
        id, examples = outcome.conversation, outcome.examples
        self.totals.contradictions.extend(outcome.contradictions)
        if outcome.fault is not None and self._pins is None:
            (self.totals.refused if outcome.refused else self.totals.faulty).append(outcome.fault)
            return ()
        if self._pins is not None:
            examples = self._pins.kept(name, id, examples)
        elif not examples and self.codec.of_judgements:
            self._noted["conversation of which no answer is known to be better or worse"] += 1
        elif not examples:
            self.totals.nothing.append(id)
        if examples or self._pins is None:
            self._note(outcome)
        if examples:
            self.conversations.append(id)
        return examples

    def _note(self, outcome: ExampleOutcome) -> None:
        self._left_out.update(outcome.left_out)
        self._noted.update(outcome.noted)
        if outcome.held.events:
            self.totals.shared[outcome.conversation] = outcome.held_turns
            self.totals.held[outcome.conversation] = outcome.held


def _described(file: BinaryIO, examples: int) -> File:
    digest = _digest(file)
    return File(examples, Path(file.name).stat().st_size, digest)


def _digest(file: BinaryIO) -> str:
    """Of what is written so far."""
    file.flush()
    return sha256_of(Path(file.name))


@contextmanager
def _unfinished(
    paths: list[Path], *, folder: Path | None
) -> Iterator[tuple[dict[Path, BinaryIO], Callable[[], None]]]:
    """Files under other names, and what gives them their own: each is whole or not there.

    A folder that was made for them goes again where nothing is finished.
    """
    is_new = folder is not None and not folder.exists()
    outgoing = [OutgoingFile(path) for path in paths]

    def finish() -> None:
        for file in opened.values():
            file.close()
        for each in outgoing:
            each.finish()

    try:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            opened: dict[Path, BinaryIO] = {
                each.path: stack.enter_context(each.unfinished.open("wb")) for each in outgoing
            }
            yield opened, finish
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(paths[0])) from error
    finally:
        for each in outgoing:
            each.discard()
        if is_new and folder is not None:
            with suppress(OSError):
                folder.rmdir()

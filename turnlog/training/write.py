"""Writing: the examples of every part, their files and the manifest, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from msgspec.structs import replace

from turnlog.domain.counted import Counted, counted, whole
from turnlog.domain.dialogue import Dialogue
from turnlog.engine.log import Turnlog
from turnlog.engine.shared_pasts import NOTHING
from turnlog.errors import FormatError
from turnlog.files import OutgoingFile, is_stream
from turnlog.serializers.shared.codec import Example
from turnlog.serializers.shared.json_value import Unholdable, raw_parts
from turnlog.serializers.shared.plain import to_plain
from turnlog.training import manifest
from turnlog.training.card.card import Card
from turnlog.training.leaks import Leaks
from turnlog.training.ledger import Ledger
from turnlog.training.manifest import FaultyConversation, File, Totals
from turnlog.training.names import Names
from turnlog.training.pins import Pins
from turnlog.training.placement import Placement, Placer
from turnlog.training.plan import ExportPlan
from turnlog.training.preferences import Holder, judgements
from turnlog.training.redacting import Redactor, known
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
) -> Totals:
    """Write the files and the manifest; nothing at all where a conversation is at fault, or a leak.

    Then `faulty` or `leaks` names them and `files` is empty; with `skip_faulty` the faulty ones are
    named and the rest is written. One whose values the format cannot hold is named in `refused`
    and stops nothing. ledger: records the export before its files have their names. pins: what
    alone is written, where the plan is pinned. card: what describes a folder of them, beside them.
    """
    _check_position(log, plan.position)
    beside = card.files(plan, out) if card else []
    run = _Run(log, plan, progress, pins, card)
    files = plan.files(out)
    folder = None if plan.split is None else out
    if folder is not None and is_stream(folder):
        raise FormatError("takes a folder where there are parts", file=str(out), field="--out")
    if run.codec.of_judgements and plan.include:
        why = "no pair has what was taken back, failed or was redacted"
        raise FormatError(why, field="--include")
    note = manifest.place(out, folder=folder is not None) or Path(os.devnull)
    with _unfinished([*files.values(), note, *beside], folder=folder) as (opened, finish):
        id = None if ledger is None else ledger.export_id(plan)
        writer = manifest.ManifestWriter(opened[note], run.outside, id)
        for name, path in files.items():
            examples = writer.noted(run.examples(name), path.name)
            run.codec.write(run.counted(examples), opened[path])
            opened[path].flush()
            run.totals.files[path.name] = _described(opened[path], run.written)
        totals = run.close()
        if totals.stop(plan):
            return replace(totals, files={})
        writer.close(run.names.outside(totals))
        if card is not None:
            card.write(opened, plan, totals)
        if ledger is not None:
            opened[note].flush()
            ledger.record(plan, run.conversations, opened[note])
        finish()
    return totals


def _check_position(log: Turnlog, position: int) -> None:
    last = log.store.reader.last_position()
    if not 0 <= position <= last:
        why = f"there is no position {position}, the last is {last}"
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
        self.codec = plan.codec()
        self.totals = Totals(
            shared={}, held={}, faulty=[], refused=[], nothing=[], files={}, contradictions=[]
        )
        self.written = 0
        self.conversations: list[str] = []
        self.names = Names(log, pseudonyms=plan.pseudonyms)
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
                first = (conversation.own or conversation.recorded)[0].position or 0
                written = self._seen(conversation).events
                placer.take(conversation.id, first, conversation.user, written)
            placement = placer.placed()
        self.totals.together, self.totals.between = placement.together, placement.between
        return placement

    def examples(self, name: str | None) -> Iterator[Example]:
        """Those of one part, in order of conversation, with their events as the log counts them."""
        self.written = 0
        for conversation in self._conversations(name):
            yield from self._of(self._redacted(conversation), name)
            self._done += 1
            self._progress(self._done)

    def _conversations(self, name: str | None) -> Iterator[PastConversation]:
        if self._pins is not None:
            return self._pins.conversations(self._log, name)
        return selected(self._log, self._plan, wanted=partial(self._wanted, name))

    def _redacted(self, conversation: PastConversation) -> PastConversation:
        if not self._plan.redact:
            return conversation
        secret, leave = self._log.store.reader.secret, frozenset(self._plan.leave)
        redactor = Redactor(secret, known(conversation.events, leave))
        events = redactor.events([*conversation.events], conversation.recorded[0].number)
        pairs = zip(conversation.recorded, events, strict=True)
        return replace(conversation, recorded=tuple(replace(r, event=event) for r, event in pairs))

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
        seen = self._seen(conversation)
        dialogue = self._dialogue(conversation, seen)
        try:
            made = self._made(conversation, dialogue, name)
            examples = [self._in_log(example, seen, dialogue.first_event) for example in made]
        except FormatError as error:
            if self._pins is None:
                kind = self.totals.refused if isinstance(error, Unholdable) else self.totals.faulty
                kind.append(_fault(error, conversation.id, dialogue, seen))
                return []
            examples = []
        if self._pins is not None:
            examples = self._pins.kept(name, conversation.id, examples)
        elif not examples and self.codec.of_judgements:
            self._noted["conversation of which no answer is known to be better or worse"] += 1
        elif not examples:
            self.totals.nothing.append(conversation.id)
        if examples or self._pins is None:
            self._note(conversation, seen)
        if examples:
            self.conversations.append(conversation.id)
        if examples and name is not None:
            self._leaks.look(name, conversation, dialogue)
            if self._card is not None:
                self._card.take(name, dialogue, examples)
        return examples

    def _note(self, conversation: PastConversation, seen: Counted) -> None:
        self._left_out.update(seen.left_out)
        if conversation.held.events:
            self.totals.shared[conversation.id] = conversation.held_turns
            self.totals.held[conversation.id] = conversation.held

    def _made(
        self, conversation: PastConversation, dialogue: Dialogue, name: str | None
    ) -> Iterator[Example]:
        if not self.codec.of_judgements:
            return self.codec.examples(dialogue)
        held = conversation.held.events
        holder = self._holder(conversation, name)
        found = judgements(dialogue.name, conversation.recorded, held, holder)
        against = (replace(each, conversation=conversation.id) for each in found.contradictions)
        self.totals.contradictions.extend(against)
        return self.codec.judged(found)

    def _in_log(self, example: Example, seen: Counted, begin: int) -> Example:
        if self.codec.of_judgements:  # which know their events
            return example
        first, last = (seen.numbers[n - begin] for n in (example.first_event, example.last_event))
        return replace(example, first_event=first, last_event=last)

    def _holder(self, conversation: PastConversation, name: str | None) -> Holder | None:
        """Of a fork, the conversation that holds what the two share, if it is in the same part."""
        id = conversation.held.holder
        if id is None or not self._wanted(name, id):
            return None
        found = Selection(self._log, self._plan).again(id, NOTHING)
        if found is None:
            return None
        return Holder(self.names.shown(id), self._redacted(found).recorded)

    def _seen(self, conversation: PastConversation) -> Counted:
        if self.codec.whole:
            return whole(conversation.own)
        if self.codec.of_judgements:  # a prompt begins where the conversation does
            return counted(conversation.recorded, self._plan.include)
        return counted(conversation.own, self._plan.include)

    def _dialogue(self, conversation: PastConversation, seen: Counted) -> Dialogue:
        """What is written of it; of a fork the rest, which a whole format says the origin of."""
        held, id = conversation.held, self.names.shown(conversation.id)
        if not self.codec.whole or not held.events:
            return Dialogue(id, seen.events)
        first, turn = held.events + 1, conversation.held_turns
        holder = held.holder and self.names.shown(held.holder)
        return Dialogue(id, seen.events, first, turn, holder)


def _fault(error: FormatError, id: str, dialogue: Dialogue, seen: Counted) -> FaultyConversation:
    turn = _turn_of_raw(dialogue) if error.turn is None else error.turn
    placed = None if turn is None else seen.turns[turn]
    return FaultyConversation(id, error.why, placed, error.field)


def _turn_of_raw(dialogue: Dialogue) -> int | None:
    """The turn of the first value that could only be kept as raw JSON, where there is one."""
    for turn in dialogue.turns():
        if any(any(raw_parts(to_plain(event))) for event in turn.events):
            return turn.number
    return None


def _described(file: BinaryIO, examples: int) -> File:
    with open(file.name, "rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    return File(examples, os.stat(file.name).st_size, digest)


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

"""Importing: files and folders become conversations, one door for every format."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from turnlog.domain.dialogue import Dialogue
from turnlog.domain.events import Unknown
from turnlog.engine.log import Turnlog
from turnlog.engine.reading import FoundFile, Item, read
from turnlog.engine.request import Recorded, Request
from turnlog.errors import ConversationError, FormatError, InvalidEvent
from turnlog.serializers.formats import codec, detect
from turnlog.serializers.shared.codec import Codec, Limits, url_of
from turnlog.storage.private_folder import PrivateFolder
from turnlog.storage.recorder import Recorder
from turnlog.storage.shown_url import without_password
from turnlog.storage.urls import recorder

BATCH_EVENTS = 5_000
"""Events that wait for one commit at most, unless a single conversation has more."""

YOUNG = 100_000
"""Objects that may be new before the interpreter looks for cycles: more than those of a commit."""

Progress = Callable[[Path, int], None]
"""Called now and then with the current file and the number of events stored so far."""


class Refused(msgspec.Struct, frozen=True):
    """What was not stored, and why; line counts from 1."""

    conversation: str | None
    file: str | None
    line: int | None
    field: str | None
    why: str


class Imported(msgspec.Struct):
    """What an import did. conversations: new ones; events: of new and extended ones.

    skipped: files of folders in no known format. unknown: events of types that the codec does not
    declare, by type. notes: remarks on stored content, one for each place.
    """

    conversations: int = 0
    events: int = 0
    unchanged: int = 0
    extended: int = 0
    refused: list[Refused] = []
    skipped: list[str] = []
    unknown: Counter[str] = msgspec.field(default_factory=Counter)
    notes: list[Refused] = []


def import_files(
    log: Turnlog,
    paths: Iterable[Path],
    *,
    format: str | None = None,
    id_prefix: str = "",
    dry_run: bool = False,
    limits: Limits | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress = lambda path, events: None,
    stopped: Callable[[], bool] = lambda: False,
    jobs: int = 1,
) -> Imported:
    """Store the conversations of files, and of all files in folders.

    What cannot be stored is refused by name, and the rest is stored. Raises FormatError, before
    anything is stored, for a path that does not exist. dry_run: only count. settings: the formats'
    own. A path can be a URL that the format reads. stopped: called before each conversation; when
    it returns True, the import ends there and stores what it has read. jobs: processes that read
    and check while this one writes; the log is the same for any number.
    """
    found = list(_files(paths, partial(_codec, format=format, limits=limits, **(settings or {}))))
    with _rehearsal(log) if dry_run else nullcontext(log) as into, _few_collections():
        importing = _Import(into, id_prefix, progress, stopped)
        for file, items in read(found, jobs):
            if stopped():
                break
            if file.reader is not None:
                importing.take(file, items)
            elif file.in_folder:
                importing.done.skipped.append(str(file.path))
            else:
                why = "no format recognises this file"
                importing.refuse(FormatError(why, file=str(file.path)))
        return importing.done


def _files(paths: Iterable[Path], reader: Callable[[Path], Codec | None]) -> Iterator[FoundFile]:
    for given in paths:
        if url_of(given) is not None:
            yield FoundFile(given, reader(given), in_folder=False)
            continue
        if not given.exists():
            raise FormatError("file does not exist", file=str(given))
        in_folder = given.is_dir()
        for path in sorted(given.rglob("*")) if in_folder else [given]:
            if path.is_file():
                yield FoundFile(
                    path, _for_import(given if in_folder else None, reader(path)), in_folder
                )


def _for_import(folder: Path | None, reader: Codec | None) -> Codec | None:
    if reader is not None:
        reader.folder, reader.refuses_empty = folder, True
    return reader


def _codec(
    path: Path, *, format: str | None, limits: Limits | None, **settings: Any
) -> Codec | None:
    if format is None and (url := url_of(path)) is not None:
        format = "rasa-redis" if url.startswith("redis") else "rasa-sql"
    if format is None:
        return detect(path, limits=limits, **settings)
    named = codec(format, limits=limits, **settings)
    if not named.reads:
        raise FormatError(f"the format {format!r} can be written only", file=str(path))
    return named


class _Import:
    """Submits conversations to the writer and counts the outcomes."""

    def __init__(
        self, log: Turnlog, id_prefix: str, progress: Progress, stopped: Callable[[], bool]
    ) -> None:
        self.done = Imported()
        self._log = log
        self._id_prefix = id_prefix
        self._progress = progress
        self._stopped = stopped
        self._waiting: list[tuple[Path, Request]] = []
        self._size = 0

    def take(self, file: FoundFile, items: Iterator[Item]) -> None:
        path = file.path
        try:
            for item in takewhile(lambda _: not self._stopped(), items):
                if isinstance(item, FormatError):
                    self.refuse(item, path)
                else:
                    self._take(path, item)
        except (FormatError, OSError) as error:
            self.refuse(error, path)
        self._settle()
        notes = file.reader.notes if file.reader else ()
        self.done.notes += [self._said(note, path) for note in notes]
        self._progress(path, self.done.events)

    def refuse(self, error: Exception, path: Path | None = None) -> None:
        self.done.refused.append(self._said(error, path))

    def _said(self, error: Exception, path: Path | None) -> Refused:
        place = {name: getattr(error, name, None) for name in ("conversation", "line", "field")}
        file = getattr(error, "file", None) or (str(path) if path else None)
        file = file and without_password(url_of(Path(file)) or file)
        why = getattr(error, "why", str(error)).removeprefix(f"{place['field']}: ")
        return Refused(file=file, why=why, **place)

    def _take(self, path: Path, dialogue: Dialogue) -> None:
        if self._id_prefix:
            name, origin = self._id_prefix + dialogue.name, dialogue.origin
            origin = None if origin is None else self._id_prefix + origin
            dialogue = replace(dialogue, name=name, origin=origin)
        try:
            request = self._log.import_request(dialogue)
        except (InvalidEvent, FormatError) as error:
            self.refuse(error, path)
            return
        self._waiting.append((path, request))
        self._size += len(dialogue.events)
        if self._size >= BATCH_EVENTS:
            self._settle()
            self._progress(path, self.done.events)

    def _settle(self) -> None:
        """Store and count what is waiting. Raises errors of the log itself."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        for _, request in waiting:
            self._log.writer.submit(request)
        self._log.writer.flush()
        for path, request in waiting:
            try:
                self._count(request.result())
            except (FormatError, ConversationError) as error:
                self.refuse(error, path)

    def _count(self, recorded: Recorded) -> None:
        events = recorded.events
        if not events:
            self.done.unchanged += 1
        elif recorded.commits[0].version == 1:
            self.done.conversations += 1
        else:
            self.done.extended += 1
        self.done.events += len(events)
        self.done.unknown.update(event.name for event in events if isinstance(event, Unknown))


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look seldom for cycles, of which conversations make none: a tenth of an import's time."""
    before = gc.get_threshold()
    gc.set_threshold(before[0] and max(before[0], YOUNG), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def _rehearsal(log: Turnlog) -> Iterator[Turnlog]:
    """A temporary log for a dry run, with the conversations of the given one as needed."""
    with PrivateFolder() as folder:
        url = f"sqlite:///{folder}/rehearsal.db?synchronous=OFF"
        with _Rehearsal(recorder(url), log) as rehearsal:
            yield rehearsal


class _Rehearsal(Turnlog):
    """Copies a conversation from the real log when the import has one with its id."""

    def __init__(self, own: Recorder, real: Turnlog) -> None:
        super().__init__(own, real.clock)
        self._real = real

    def import_request(self, dialogue: Dialogue) -> Request:
        self._real.erased_ids.check(dialogue)
        shared = dialogue.first_event - 1
        if dialogue.origin is not None:
            self._take_over(Dialogue(dialogue.origin, ()))
        self._take_over(replace(dialogue, events=()), shared)
        return super().import_request(dialogue)

    def _take_over(self, wanted: Dialogue, shared: int = 0) -> None:
        """Store the real log's events of a conversation; of a fork as a fork, if possible."""
        id = wanted.name
        if _has(self, id) or not _has(self._real, id):
            return
        events = tuple(self._real.history(id).events(shared))
        if shared and self._real.history(id).replay().lineage.shared != shared:
            wanted, events = Dialogue(id, ()), tuple(self._real.history(id).events())
        self.writer.perform(super().import_request(replace(wanted, events=events)))


def _has(log: Turnlog, id: str) -> bool:
    return log.current.head(log.store.reader, id) is not None

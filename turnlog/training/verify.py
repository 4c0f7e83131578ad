"""Verify: makes an export again from the log and compares it with its manifest and its files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from msgspec.structs import replace

from turnlog.engine.log import Turnlog
from turnlog.files import sha256_of
from turnlog.storage.private_folder import PrivateFolder
from turnlog.training.parts.leaks import Leak
from turnlog.training.privacy.names import read
from turnlog.training.records import manifest
from turnlog.training.records.manifest import Manifest, ManifestEntry, Totals
from turnlog.training.records.pins import Pins
from turnlog.training.running.run import Progress
from turnlog.training.write import export

_FOLLOWING = sorted({*Totals.__struct_fields__} - {"files", "held", "revoked", "leaks", "card"})


class Finding(msgspec.Struct, frozen=True):
    """events: numbers of the first and the last event of the example."""

    what: str
    file: str | None = None
    conversation: str | None = None
    events: tuple[int, int] | None = None


def verify(
    log: Turnlog, path: Path, *, progress: Progress = lambda done: None
) -> Iterator[Finding]:
    """What no longer follows from the log, or differs from what was written.

    Raises FormatError for anything but a manifest.
    """
    noted = read(log, path)
    yield from _files(noted, path.parent)
    with PrivateFolder() as other:
        again, totals = _again(log, noted, Path(other), progress)
        differ = list(_differing(noted, again, totals, log))
        if differ and not noted.options.pinned:
            pins = Pins(noted)
            _again(log, noted, Path(other), progress, pins)
            differ = [*_named(pins.gone, differ, log)] or differ
    yield from differ


def _differing(
    noted: Manifest, again: Manifest | None, totals: Totals, log: Turnlog
) -> Iterator[Finding]:
    if again is None:
        yield from (Finding(str(f), None, f.conversation) for f in totals.faulty)
        yield from map(_leaking, totals.leaks)
    elif examples := list(_examples(noted.examples, again.examples, log)):
        yield from examples
    else:
        yield from _rest(noted, again)


def _again(
    log: Turnlog,
    noted: Manifest,
    folder: Path,
    progress: Progress,
    pins: Pins | None = None,
) -> tuple[Manifest | None, Totals]:
    plan = noted.plan
    if plan.pinned and pins is None:
        pins = Pins(noted)
    if plan.ids is not None:
        plan = replace(plan, ids=[id for id in plan.ids if id in log])
    out = folder if plan.split is not None else folder / next(iter(noted.files), "examples")
    totals = export(log, plan, out, progress=progress, pins=pins)
    written = manifest.place(out, folder=plan.split is not None)
    return (read(log, written) if written and written.exists() else None), totals


def _files(noted: Manifest, folder: Path) -> Iterator[Finding]:
    written = {name: file.sha256 for name, file in noted.files.items()}
    for name, digest in (*written.items(), *noted.card.items()):
        path = folder / name
        if not path.is_file():
            yield Finding("file does not exist", name)
        elif sha256_of(path) != digest:
            yield Finding("the file has changed since it was written", name)


def _examples(
    noted: Iterable[ManifestEntry], again: Iterable[ManifestEntry], log: Turnlog
) -> Iterator[Finding]:
    """Examples with other contents, missing ones, and those that the manifest does not have."""
    remade = _by_place(again)
    for place, entry in _by_place(noted).items():
        other = remade.pop(place, None)
        if other is None:
            what = _why_missing(entry, log)
        elif other.sha256 != entry.sha256:
            what = "the log gives another example"
        else:
            continue
        yield Finding(what, entry.file, entry.conversation, entry.events)
    for entry in remade.values():
        what = "the log gives an example that the manifest does not have"
        yield Finding(what, entry.file, entry.conversation, entry.events)


def _why_missing(entry: ManifestEntry, log: Turnlog) -> str:
    if entry.conversation not in log:
        return "the conversation is deleted or does not exist"
    return "the log gives no such example"


def _named(
    gone: Iterable[ManifestEntry], differ: Iterable[Finding], log: Turnlog
) -> Iterator[Finding]:
    """What cannot be made again, without examples that only moved as a result."""
    found = {(each.file, each.conversation, each.events): each for each in differ}
    for entry in gone:
        place = (entry.file, entry.conversation, entry.events)
        yield found.get(place) or Finding(_why_missing(entry, log), *place)


def _by_place(
    entries: Iterable[ManifestEntry],
) -> dict[tuple[str, str, tuple[int, int], int], ManifestEntry]:
    """By file, conversation and events; the number distinguishes those that share all three."""
    placed: dict[tuple[str, str, tuple[int, int], int], ManifestEntry] = {}
    count: Counter[tuple[str, str, tuple[int, int]]] = Counter()
    for entry in entries:
        place = (entry.file, entry.conversation, entry.events)
        placed[*place, count[place]] = entry
        count[place] += 1
    return placed


def _leaking(leak: Leak) -> Finding:
    return Finding(f"the same {leak.what} is in {' and '.join(leak.parts)}")


def _rest(noted: Manifest, again: Manifest) -> Iterator[Finding]:
    """What differs although every example is the same."""
    for name in sorted(noted.versions.keys() | again.versions.keys()):
        before, now = noted.versions.get(name), again.versions.get(name)
        if before != now:
            yield Finding(f"{name} was {before} and is now {now}")
    for name, file in noted.files.items():
        if again.files.get(name) != file:
            yield Finding("the log gives another file", name)
    for field in _FOLLOWING:
        if getattr(noted, field) != getattr(again, field):
            yield Finding(f"the log gives another {field!r}")

"""Turns files into dialogues, in this process or in several, in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby, starmap
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from turnlog.domain.dialogue import Dialogue
from turnlog.engine.processes import in_order
from turnlog.errors import FormatError
from turnlog.serializers.shared.codec import Codec
from turnlog.serializers.shared.document import DocumentCodec
from turnlog.serializers.shared.json_stream import Element

PIECE_BYTES = 250_000
"""How much of a file one piece of work has, unless a single conversation has more."""

Item = Dialogue | FormatError
Cut = Element | FormatError


class FoundFile(NamedTuple):
    """A file, and its codec, if there is one."""

    path: Path
    reader: Codec | None
    in_folder: bool


class FilePiece(NamedTuple):
    """Conversations of a file, with their numbers; error: why nothing after them can be read."""

    number: int
    path: Path
    reader: DocumentCodec | None
    elements: list[Cut]
    error: Exception | None = None


class ReadPiece(NamedTuple):
    """The result of reading a piece."""

    number: int
    items: list[Item]
    error: Exception | None


def read(files: Iterable[FoundFile], jobs: int) -> Iterator[tuple[FoundFile, Iterator[Item]]]:
    """Each file with its conversations, as the codec's `read` yields them.

    With several jobs, other processes read files that can be split into JSON documents, a few
    megabytes ahead.
    """
    if jobs == 1:
        yield from ((file, _alone(file)) for file in files)
        return
    listed = [*files]
    pieces = chain.from_iterable(starmap(_cut, enumerate(listed)))
    for number, found in groupby(in_order(jobs, _read, pieces), attrgetter("number")):
        file = listed[number]
        apart = isinstance(file.reader, DocumentCodec)
        yield file, _items(found) if apart else _alone(file)


def _alone(file: FoundFile) -> Iterator[Item]:
    return iter(()) if file.reader is None else file.reader.read(file.path)


def _items(pieces: Iterable[ReadPiece]) -> Iterator[Item]:
    for piece in pieces:
        yield from piece.items
        if piece.error is not None:
            raise piece.error


def _cut(number: int, file: FoundFile) -> Iterator[FilePiece]:
    """At least one piece; an empty one for a file that is not split."""
    if not isinstance(reader := file.reader, DocumentCodec):
        yield FilePiece(number, file.path, None, [])
        return
    elements, size, error = list[Cut](), 0, None
    try:
        for element in reader.pieces(file.path):
            elements.append(element)
            size += len(element.json) if isinstance(element, Element) else 0
            if size >= PIECE_BYTES:
                yield FilePiece(number, file.path, reader, elements)
                elements, size = [], 0
    except (FormatError, OSError) as raised:
        error = raised
    yield FilePiece(number, file.path, reader, elements, error)


def _read(piece: FilePiece) -> ReadPiece:
    items: list[Item] = []
    if piece.reader is None:
        return ReadPiece(piece.number, items, None)
    try:
        for element in piece.elements:
            items.append(piece.reader.read_piece(element, piece.path))
    except FormatError as error:
        return ReadPiece(piece.number, items, error)
    return ReadPiece(piece.number, items, piece.error)

"""Seals the parts of a row under the subjects they are about, and opens them (ADR 13, ADR 19)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from turnlog.domain.subjects import Subjects, parted
from turnlog.encoding import rows as encoding
from turnlog.encoding.binary import UNREADABLE, encode
from turnlog.encoding.dropping import places_only
from turnlog.encoding.rows import Content, Part
from turnlog.errors import Corrupt
from turnlog.keys.cipher import Cipher

_WHOLE, _DIVIDED = b"\0", b"\1"
"""The first byte of sealed content: all parts of a row unchanged, or the parts of some places,
each with a salt."""

CipherOf = Callable[[tuple[bytes, ...]], Cipher | None]
SubjectsOf = Callable[[Subjects], tuple[bytes, ...]]

_content = msgspec.msgpack.Decoder(Content)


def whole(
    parts: bytes, place: bytes, places: tuple[int, ...], subjects: tuple[bytes, ...], cipher: Cipher
) -> bytes:
    """The sealed parts of a row without stored commitments, all under the same keys.

    All of them are bound to `place`.
    """
    return encode([(cipher.seal(_WHOLE + parts, _place(place, places)), subjects, places)])


def divided(
    commitments: bytes,
    parts: bytes,
    place: bytes,
    groups: Sequence[Subjects],
    subjects_of: SubjectsOf,
    cipher_of: CipherOf,
) -> bytes:
    """The sealed parts of a row in clear. Each part is bound to `place`.

    commitments: as stored, or b"" if they follow from the parts. groups: whom each event, and then
    each key, is about.
    """
    found = []
    for part in encoding.parts_of(commitments, parts):
        if not isinstance(part.content, Content):
            found.append(part)
            continue
        for subjects, indexes in parted([groups[at] for at in part.places]).items():
            own = places_only(part, indexes)
            if subjects:
                own = _divided(own, place, subjects_of(subjects), cipher_of)
            found.append(own)
    return encode(found)


def _divided(part: Part, place: bytes, subjects: tuple[bytes, ...], cipher_of: CipherOf) -> Part:
    said = _DIVIDED + encode(part.content)
    box = _cipher(cipher_of, subjects).seal(said, _place(place, part.places))
    return Part(box, subjects, part.places)


def _cipher(cipher_of: CipherOf, subjects: tuple[bytes, ...]) -> Cipher:
    cipher = cipher_of(subjects)
    if cipher is None:  # destroyed between making and sealing
        raise LookupError("a key was destroyed meanwhile")
    return cipher


def _place(place: bytes, places: tuple[int, ...]) -> bytes:
    return place + encode(places)


def opened(
    commitments: bytes, parts: bytes, place: bytes, cipher_of: CipherOf
) -> tuple[bytes, bytes]:
    """Commitments and parts as they were before they were sealed.

    A part under a destroyed key reads as dropped. A part that does not open raises Corrupt.
    """
    try:
        stored = encoding.parts_of(commitments, parts)
    except UNREADABLE as error:
        raise Corrupt(f"the parts cannot be read: {error}") from error
    found = []
    for part in stored:
        if not isinstance(part.content, bytes):
            found.append(part)
            continue
        said = _said(part, place, cipher_of)
        if said is not None and said[:1] == _WHOLE:
            return b"", said[1:]
        content = None if said is None else _content.decode(memoryview(said)[1:])
        found.append(Part(content, part.subjects, part.places))
    return commitments, encode(found)


def left(commitments: bytes, parts: bytes, left: bytes, place: bytes, cipher_of: CipherOf) -> bytes:
    """The parts of a sealed row after some were dropped.

    left: the remaining parts, in clear.
    """
    stored = encoding.parts_of(commitments, parts)
    rest = encoding.parts_of(commitments, left)
    found = []
    for before, after in zip(stored, rest, strict=True):
        if not isinstance(before.content, bytes) or not isinstance(after.content, Content):
            found.append(after)
        elif after.places == before.places:
            found.append(before)
        else:
            found.append(_divided(after, place, before.subjects, cipher_of))
    return encode(
        [Part(p.content, b.subjects, p.places) for p, b in zip(found, stored, strict=True)]
    )


def _said(part: Part, place: bytes, cipher_of: CipherOf) -> bytes | None:
    """The plaintext of a part; None if one of its keys was destroyed."""
    assert isinstance(part.content, bytes)
    if (cipher := cipher_of(part.subjects)) is None:
        return None
    if (said := cipher.opened(part.content, _place(place, part.places))) is None:
        raise Corrupt("a part is not what was sealed under its subjects' keys")
    return said

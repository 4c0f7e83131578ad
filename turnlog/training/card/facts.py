"""Facts about a data set that no log contains, such as its license; people write them down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import msgspec.toml

from turnlog.errors import FormatError


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """license: Hugging Face's name, such as `cc-by-4.0`. published: a day, `2026-11-26`. citation:
    as BibTeX or in words. url: the data set's present or future address.
    """

    name: str
    description: str | None = None
    license: str | None = None
    creator: str | None = None
    citation: str | None = None
    url: str | None = None
    version: str | None = None
    published: str | None = None


def read_facts(path: Path) -> Facts:
    """The facts in a TOML file. Raises FormatError for any other file."""
    try:
        held: Any = msgspec.toml.decode(path.read_bytes())
        return msgspec.convert(held, Facts)
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(path)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(str(error), file=str(path)) from error

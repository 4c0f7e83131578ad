"""Facts: what no log knows of a data set, such as its license; people write them down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import msgspec.toml

from turnlog.errors import FormatError


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """license: as Hugging Face names it, such as `cc-by-4.0`. published: a day, `2026-11-26`.
    citation: as BibTeX or in words. url: where the data set is, or will be.
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
    """Raises FormatError for a file that is not TOML of facts."""
    try:
        held: Any = msgspec.toml.decode(path.read_bytes())
        return msgspec.convert(held, Facts)
    except OSError as error:
        raise FormatError(error.strerror or str(error), file=str(path)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FormatError(str(error), file=str(path)) from error

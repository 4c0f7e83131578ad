"""The files of an export under temporary names until all of them are complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from turnlog.errors import FormatError
from turnlog.files import OutgoingFile


@contextmanager
def unfinished(
    paths: list[Path], *, folder: Path | None
) -> Iterator[tuple[dict[Path, BinaryIO], Callable[[], None]]]:
    """Files under temporary names, and the renaming to their own: each is complete or absent.

    A folder that was created for them is removed if nothing is finished.
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

"""A page as a PDF document."""

from __future__ import annotations

from typing import Any

from turnlog.errors import StorageError
from turnlog.extras import needed


def pdf(page: bytes) -> bytes:
    """The page as it prints.

    Raises MissingExtra without WeasyPrint, StorageError without the Pango library.
    """
    with needed("pdf", "a report as PDF"):
        html = _weasyprint().HTML
    document: bytes = html(string=page.decode(), url_fetcher=_nothing).write_pdf()
    return document


def _weasyprint() -> Any:
    try:
        import weasyprint
    except OSError as error:
        why = f"a report as PDF needs the Pango library, which cannot be loaded: {error}"
        raise StorageError(why.splitlines()[0]) from error
    return weasyprint


def _nothing(url: str, *arguments: Any, **options: Any) -> Any:
    raise ValueError("a report loads nothing")

"""The files that pages are made of, from the folder `static`; nothing is read from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from litestar import Response

FOLDER = Path(__file__).with_name("static")

TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' http: https:",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@cache
def files() -> dict[str, tuple[str, bytes]]:
    """Media type and content of every file, by its name below the folder."""
    return dict(_read())


def _read() -> Iterator[tuple[str, tuple[str, bytes]]]:
    for path in FOLDER.rglob("*"):
        if path.is_file() and path.suffix in TYPES:
            yield path.relative_to(FOLDER).as_posix(), (TYPES[path.suffix], path.read_bytes())


def page(name: str, status: int = 200) -> Response[bytes]:
    """A file as a response."""
    media_type, content = files()[name]
    return Response(content, status_code=status, media_type=media_type, headers=HEADERS)

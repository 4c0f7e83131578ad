"""The files that pages are made of, from the folder `static` and nowhere else."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from litestar import Request, Response

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


class StaticFile(NamedTuple):
    """content is the file itself, packed is gzip. tag changes with the content."""

    media_type: str
    content: bytes
    packed: bytes
    tag: str


@cache
def files() -> dict[str, StaticFile]:
    """Every file by its name below the folder."""
    return dict(_read())


def _read() -> Iterator[tuple[str, StaticFile]]:
    for path in FOLDER.rglob("*"):
        if path.is_file() and path.suffix in TYPES:
            name = path.relative_to(FOLDER).as_posix()
            yield name, _file(TYPES[path.suffix], path.read_bytes())


def _file(media_type: str, content: bytes) -> StaticFile:
    tag = f'W/"{sha256(content).hexdigest()[:16]}"'
    return StaticFile(media_type, content, gzip.compress(content, mtime=0), tag)


@cache
def _below(banner: str, name: str) -> StaticFile:
    """A page with a line of HTML at its top."""
    file = files()[name]
    line = f'<body>\n  <p class="banner">{banner}</p>'.encode()
    return _file(file.media_type, file.content.replace(b"<body>", line, 1))


def page(
    request: Request[Any, Any, Any], name: str, status: int = 200, *, banner: str = ""
) -> Response[bytes]:
    """A file as a response: packed if the browser accepts that, 304 if it has the file already."""
    file = _below(banner, name) if banner else files()[name]
    headers = {**HEADERS, "ETag": file.tag, "Vary": "Accept-Encoding"}
    if status == 200 and file.tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    content = file.content
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        content = file.packed
    return Response(content, status_code=status, media_type=file.media_type, headers=headers)

"""What the inspector's routes answer with."""

from __future__ import annotations

from litestar import Response


def json(content: bytes) -> Response[bytes]:
    """A JSON document that no browser keeps."""
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(content, media_type="application/json", headers=headers)

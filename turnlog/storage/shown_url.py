"""URLs as messages show them."""

from __future__ import annotations

from urllib.parse import unquote


def without_password(url: str) -> str:
    """The URL without secrets, however it is spelled or misspelled."""
    base, _, query = url.partition("?")
    scheme, separator, rest = base.partition("://")
    if not separator:
        return url
    user, at, host = rest.rpartition("@")
    name, colon, port = host.partition(":")
    if colon and not at and "@" in unquote(query) and not port.partition("/")[0].isdecimal():
        return f"{scheme}://{name}"  # a password contains a question mark
    kept = [part for part in query.split("&") if part and not _is_secret(part)]
    shown = f"{scheme}://{user.partition(':')[0]}{at}{host}"
    return f"{shown}?{'&'.join(kept)}" if kept else shown


def _is_secret(option: str) -> bool:
    return "password" in unquote(option.partition("=")[0]).lower()

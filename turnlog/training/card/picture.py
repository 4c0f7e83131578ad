"""A bar chart of lengths, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

Bars = Sequence[tuple[str, int]]

_ROW, _LABEL, _WIDTH = 18, 130, 300


def picture(charts: Iterable[tuple[str, Bars]]) -> str:
    """Charts, one below the other, each under its title."""
    parts: list[str] = []
    y = 0
    for title, bars in charts:
        parts.append(_text(0, y + 14, title, bold=True))
        y += _ROW + 4
        most = max((count for _, count in bars), default=1) or 1
        for label, count in bars:
            width = round(_WIDTH * count / most)
            parts.append(_text(_LABEL - 8, y + 13, label, end=True))
            parts.append(f'<rect x="{_LABEL}" y="{y + 3}" width="{width}" height="12"/>')
            parts.append(_text(_LABEL + width + 6, y + 13, f"{count:,}"))
            y += _ROW
        y += _ROW
    width = _LABEL + _WIDTH + 70
    size = f'width="{width}" height="{y}" viewBox="0 0 {width} {y}"'
    style = 'font-family="sans-serif" font-size="12" fill="#57606a"'
    lines = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{lines}\n</svg>\n'


def _text(x: int, y: int, text: str, *, bold: bool = False, end: bool = False) -> str:
    style = (' font-weight="bold"' if bold else "") + (' text-anchor="end"' if end else "")
    return f'<text x="{x}" y="{y}"{style}>{escape(text)}</text>'

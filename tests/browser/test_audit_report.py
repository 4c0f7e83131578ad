"""The audit report in a real browser: hostile texts do nothing, and nothing is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import turnlog
from tests.unit.test_audit_report import HOSTILE, audited, made
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.reports.audit import report

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_nothing_hostile_runs_and_nothing_is_loaded(chromium: Browser, tmp_path: Path):
    path = tmp_path / "page.html"
    with turnlog.open("memory:") as log:
        for text in HOSTILE:
            log.record(text, UserUttered(text, {text: text}), SlotSet(text, text), BotUttered(text))
        path.write_bytes(report([audited(log, text) for text in HOSTILE], made("".join(HOSTILE))))
    page = chromium.new_page()
    events: list[str] = []
    page.on("dialog", lambda dialog: events.append(dialog.message))
    page.on("request", lambda request: events.append(request.url))
    page.on("console", lambda message: events.append(message.text))
    page.goto(path.as_uri())
    assert events == [path.as_uri()]
    assert page.locator("script, img, iframe, svg, a, base, plaintext").count() == 0
    assert page.locator("section").count() == len(HOSTILE)
    assert page.locator(".message").count() == 2 * len(HOSTILE)

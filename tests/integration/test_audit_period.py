"""Given a log, when a period of it is audited, then its events of that period are counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import turnlog
from tests.unit.test_audit_report import HOSTILE, Page
from turnlog import (
    AgentUttered,
    AiDisclosed,
    ApprovalGiven,
    BotFailed,
    BotUttered,
    HandoverStarted,
    OutcomeRecorded,
    ToolReturned,
    UserUttered,
    Versions,
)
from turnlog.audit.period import Period, figures
from turnlog.cli import main
from turnlog.errors import FormatError

DAY = 86_400.0
FIRST = 1_767_225_600.0  # 2026-01-01


class Clock:
    now = FIRST

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def db(tmp_path: Path) -> str:
    """A conversation a day for ten days, the last of them deleted."""
    url, clock = f"sqlite:///{tmp_path / 'log.db'}", Clock()
    with turnlog.open(url, clock=clock) as log:
        for day in range(10):
            clock.now = FIRST + day * DAY
            log.record(
                f"c{day}", UserUttered("hello"), BotUttered("hi", versions=Versions(model="m"))
            )
            log.record(f"c{day}", UserUttered("more"))
        log.record("c9", BotFailed(), HandoverStarted(), AgentUttered("I am Eva", actor="Eva"))
        log.record("c9", ToolReturned(None, is_error=True), ApprovalGiven(False), AiDisclosed())
        log.record("c9", OutcomeRecorded("resolved"), OutcomeRecorded(succeeded=False))
        log.fork("c9", as_="trial", trial=True)
        log.delete("c0", reason="asked", actor="Eva")
        log.erase("c0", reason="asked", actor="Eva")
    return url


def test_the_events_of_the_period_are_counted(db: str):
    with turnlog.open(db) as log:
        found = figures(log, Period.read("2026-01-09..2026-01-11"))
    assert found.conversations == 2
    assert found.undisclosed == 1
    assert found.totals == {
        "turns": 4, "answers": 2, "failures": 1, "failed tool calls": 1, "hand-overs": 1,
        "overrides": 2, "erasures": 1,
    }  # fmt: skip
    assert [day.isoformat() for day in found.by_day["answers"]] == ["2026-01-09", "2026-01-10"]
    assert found.outcomes == {"resolved": 1, "failed": 1}
    assert found.models == {"m": 2}


def test_a_period_contains_its_first_moment_and_not_its_end():
    period = Period(1.0, 2.0)
    assert [period.holds(time) for time in (0.9, 1.0, 1.9, 2.0)] == [False, True, True, False]


@pytest.mark.parametrize("text", ["", "2026-01-01", "a..b", "2026-01-02..2026-01-01", "1..1"])
def test_a_text_that_is_not_a_period_is_named(text: str):
    with pytest.raises(FormatError, match=r"period|neither"):
        Period.read(text)


@pytest.mark.parametrize("name", ["period.html", "period.pdf"])
def test_the_page_is_written(
    db: str, tmp_path: Path, name: str, capsysbinary: pytest.CaptureFixture[bytes]
):
    out = tmp_path / name
    with pytest.raises(SystemExit) as exited:
        main(
            ["audit", "--db", db, "--period", "2026-01-01..2027-01-01", "--out", str(out), "--json"]
        )
    if exited.value.code == 2 and name.endswith(".pdf"):
        pytest.skip("a report as PDF needs Pango")
    said = json.loads(capsysbinary.readouterr().out)
    assert (said["conversations"], said["turns"]) == (9, 18)
    if name.endswith(".html"):
        page = Page(out.read_bytes())
        assert {"svg", "rect"} <= page.tags
        assert "resolved" in page.text
    else:
        assert out.read_bytes().startswith(b"%PDF-")


def test_hostile_outcomes_are_inert(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]):
    url, out = f"sqlite:///{tmp_path / 'log.db'}", tmp_path / "page.html"
    with turnlog.open(url) as log:
        for text in HOSTILE:
            log.record("a", OutcomeRecorded(text), BotUttered("x", versions=Versions(model=text)))
    with pytest.raises(SystemExit):
        main(["audit", "--db", url, "--period", "2020-01-01..2100-01-01", "--out", str(out)])
    page = Page(out.read_bytes())
    allowed = (
        "html head meta title style body header h1 h3 table thead tbody tr th td p svg rect br"
    )
    assert page.tags <= set(allowed.split())

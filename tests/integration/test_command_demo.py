"""`turnlog demo`: its log verifies, its bug can be found, its server answers and cleans up."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog.demo import CONVERSATIONS, fill

BUG = "ada-wrong-count"


@pytest.fixture
def db(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/demo.db"
    fill(url)
    return url


def test_the_demo_verifies_and_exports(db: str, tmp_path: Path) -> None:
    assert run("verify", "--db", db).status == 0
    ran = run("export", "--format", "openai", "--out", str(tmp_path / "out.jsonl"), "--db", db)
    assert ran.status == 0
    text = (tmp_path / "out.jsonl").read_text()
    assert len(text.splitlines()) == len(CONVERSATIONS)
    assert "4111" not in text
    assert "4111" not in run("log", "emma-redacted", "--json", "--db", db).out


def test_its_bot_answers_as_recorded_and_the_fixed_one_differs_at_the_bug(db: str) -> None:
    same = run("replay", "--all", "--bot", "turnlog.bots.booking:bot", "--db", db)
    assert same.status == 0
    mended = ("replay", "--all", "--bot", "turnlog.demo.mended:bot", "--json", "--db", db)
    line, group = map(json.loads, run(*mended).out.splitlines())
    assert (line["conversation"], line["turn"]) == (BUG, 4)
    assert (group["kind"], group["group"]) == ("group", line["group"])


def test_why_finds_the_bug(db: str) -> None:
    lines = [
        json.loads(x) for x in run("why", BUG, "people", "--json", "--db", db).out.splitlines()
    ]
    assert lines[0]["text"] == "Do you have a menu for 6 courses?"
    assert (lines[-1]["type"], lines[-1]["value"], lines[-1]["turn"]) == ("SlotSet", 6, 4)


def test_the_demo_is_the_same_every_time(tmp_path: Path) -> None:
    logs = []
    for name in ("a", "b"):
        url = f"sqlite:///{tmp_path}/{name}.db"
        fill(url)
        with turnlog.open(url) as log:
            logs.append({id: log.read_events(id) for id in log.ids()})
    assert logs[0] == logs[1]


def test_a_log_with_other_conversations_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mine.db"
    with turnlog.open(url) as log:
        log.record("mine", turnlog.UserUttered("hello"))
    ran = run("demo", "--db", url)
    assert ran.status == 2
    assert "contains other conversations" in ran.err
    with turnlog.open(url) as log:
        assert list(log.ids()) == ["mine"]


def test_the_server_answers_and_its_log_goes_with_it(tmp_path: Path) -> None:
    mine = f"sqlite:///{tmp_path}/mine.db"
    process = subprocess.Popen(
        [sys.executable, "-m", "turnlog", "demo", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path), "TURNLOG_DB": mine},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(5)]
        [base] = re.findall(r"chat +(http\S+)", "".join(lines))
        with urllib.request.urlopen(f"{base}inspect", timeout=20) as page:
            assert f'href="#conversation={BUG}"' in page.read().decode()
        with urllib.request.urlopen(f"{base}inspect/api/conversations", timeout=20) as found:
            assert len(json.load(found)["conversations"]) == len(CONVERSATIONS)
        assert list(tmp_path.glob("turnlog-demo-*/demo.db"))
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.communicate()
    assert list(tmp_path.iterdir()) == []

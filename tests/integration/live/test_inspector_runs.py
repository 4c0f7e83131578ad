"""The inspector shows the groups of a kept run, without anything redacted since."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import turnlog
from tests.parts import turnlog as turnlog_part
from tests.parts.server import Server
from turnlog import BotUttered, MessageRedacted, SlotSet, UserUttered

BOT = turnlog_part.BOOKING
SECRET = "Xanthippe"


def replayed(db: str, out: Path) -> None:
    """A run of the booking bot, which differs from the record."""
    command = [sys.executable, "-m", "turnlog", "replay", "--all", "--db", db, "--bot", BOT]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, check=False)
    assert done.returncode == 1, done.stderr.decode()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run in the folder of its log."""
    with turnlog.open(f"sqlite:///{tmp_path}/chat.db") as log:
        for id in ("a", "b", "c"):
            log.record(id, UserUttered("a table for two"), SlotSet("people", 3), BotUttered("Ok"))
            log.record(id, UserUttered("tomorrow"), BotUttered("At what time?"))
        log.record("secret", UserUttered(f"I am {SECRET}"), BotUttered(f"Hi {SECRET}"))
    replayed(f"sqlite:///{tmp_path}/chat.db", tmp_path / "run.jsonl")
    return tmp_path / "run.jsonl"


@pytest.fixture
def server(run: Path) -> Iterator[Server]:
    with turnlog_part.running("--run", str(run), db=f"sqlite:///{run.parent}/chat.db") as server:
        yield server


def asked(server: Server, path: str, **query: Any) -> Any:
    answer = httpx.get(f"{server.url}/inspect/api/{path}", params=query, timeout=20)
    return answer.raise_for_status().json()


def test_groups_and_their_places_are_those_of_the_run(server: Server) -> None:
    found = asked(server, "groups")
    assert found["bot"] == BOT
    places = asked(server, "differences")
    assert len(places) == sum(group["turns"] for group in found["groups"])
    for group in found["groups"]:
        here = asked(server, "differences", group=group["group"])
        assert len(here) == group["turns"]
        assert len({place["conversation"] for place in here}) == group["conversations"]
        assert group["example"] in here
        assert not group["accepted"]
    found = asked(server, "differences", conversation="a")
    assert [each["turn"] for each in found] == sorted({each["turn"] for each in found})
    assert all(each["expected"] != each["actual"] for each in found)
    assert asked(server, "differences", conversation="missing") == []


def test_what_is_redacted_or_deleted_later_leaves_groups_and_differences(
    server: Server, run: Path
) -> None:
    def answers() -> str:
        ways: list[dict[str, str]] = [{}, {"conversation": "secret"}]
        found = [
            httpx.get(f"{server.url}/inspect/api/differences", params=way).text for way in ways
        ]
        return httpx.get(f"{server.url}/inspect/api/groups").text + "".join(found)

    assert SECRET in run.read_text()
    assert SECRET in answers()
    with turnlog.open(f"sqlite:///{run.parent}/chat.db") as log:
        log.record("secret", MessageRedacted(1))
    assert SECRET not in answers()
    assert asked(server, "differences", conversation="secret")[0]["hidden"] is True
    with turnlog.open(f"sqlite:///{run.parent}/chat.db") as log:
        log.delete("a")
    assert all(each["hidden"] for each in asked(server, "differences", conversation="a"))


def test_a_run_that_is_made_again_is_read_again(server: Server, run: Path) -> None:
    before = asked(server, "groups")
    with turnlog.open(f"sqlite:///{run.parent}/chat.db") as log:
        log.record("d", UserUttered("a table for two"), SlotSet("people", 3), BotUttered("Ok"))
    replayed(f"sqlite:///{run.parent}/chat.db", run)
    after = asked(server, "groups")
    count = [sum(group["turns"] for group in each["groups"]) for each in (before, after)]
    assert count[1] > count[0]


def test_a_group_is_accepted_in_the_folder_of_the_run(server: Server, run: Path) -> None:
    group = asked(server, "groups")["groups"][0]["group"]
    url = f"{server.url}/inspect/api/accept"
    done = httpx.post(url, json={"group": group, "note": "as wanted"}, timeout=60).json()
    assert len(done["accepted"]) == 1
    [entry] = tomllib.loads((run.parent / "accepted.toml").read_text())["accepted"]
    assert entry["note"] == "as wanted"
    accepted = [each["group"] for each in asked(server, "groups")["groups"] if each["accepted"]]
    assert accepted == [group]
    for place in asked(server, "differences"):
        found = asked(server, "differences", conversation=place["conversation"])
        assert all(each["accepted"] == (each["group"] == group) for each in found)
    missing = httpx.post(url, json={"group": "0" * 12, "note": ""}, timeout=60)
    assert missing.status_code == 404


def test_a_difference_is_minimised_and_made_a_test_that_fails(
    server: Server, run: Path, tmp_path: Path
) -> None:
    found = asked(server, "differences", conversation="b")
    body = {"conversation": "b", "group": found[0]["group"]}
    url = f"{server.url}/inspect/api/minimise"
    found = httpx.post(url, json=body, timeout=120).raise_for_status().json()
    assert found["messages"] == ["a table for two"]
    (tmp_path / "test_shortened.py").write_text(found["test"])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shortened.py"]
    failed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert failed.returncode == 1, failed.stdout.decode()
    assert "1 failed" in failed.stdout.decode()


def test_a_file_that_is_not_a_run_is_refused_immediately(tmp_path: Path) -> None:
    (tmp_path / "no.jsonl").write_text("{}\n")
    command = [sys.executable, "-m", "turnlog", "serve", "--port", "0", "--run", "no.jsonl"]
    refused = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert refused.returncode == 2
    assert "no.jsonl" in refused.stderr.decode()


def test_without_a_run_there_are_no_groups() -> None:
    with turnlog_part.running() as server:
        assert asked(server, "groups") == {"groups": []}
        assert asked(server, "differences") == []
        refused = httpx.post(f"{server.url}/inspect/api/accept", json={"group": "x", "note": ""})
        assert refused.status_code == 409

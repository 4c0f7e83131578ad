"""Which conversations a replay covers, and with which tools."""

from __future__ import annotations

from pathlib import Path

import pytest

import turnlog
from tests.command_line import run
from turnlog import BotUttered, SlotSet, ToolCalled, ToolReturned, UserUttered

BOT = """
def price(item):
    open("sold", "a").write(f"{item}\\n")
    return 5
tools = {"price": price}
async def bot(conversation, message):
    cost = await conversation.call("price", item="tea")
    assert [type(e).__name__ for e in conversation.events()][-2:] == ["ToolCalled", "ToolReturned"]
    return [f"It is {cost}."]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twenty conversations, one an hour; c2 continues after all of them, and has a trial fork."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mybot.py").write_text("async def bot(c, m): return ['no']")
    (tmp_path / "shop.py").write_text(BOT)
    with turnlog.open("sqlite:///turnlog.db") as log:
        for n in range(20):
            at = 1_700_000_000 + 3600 * n
            said = UserUttered("?", timestamp=at), BotUttered("yes", timestamp=at + 1)
            log.record(f"c{n:02}", *said, SlotSet("even", n % 2 == 0, timestamp=at + 1))
        later = 1_700_000_000 + 3600 * 50
        log.record("c02", UserUttered("?", timestamp=later), BotUttered("yes", timestamp=later))
        log.fork("c02", as_="trial", trial=True)
        log.record(
            "shop",
            UserUttered("?"), ToolCalled("price", {"item": "tea"}, "1"), ToolReturned(3, "1"),
            BotUttered("It is 3."),
        )  # fmt: skip
    return tmp_path


def chosen(*options: str) -> list[str]:
    """The ids of the replayed conversations: the bot answers all of them differently."""
    done = run("replay", *options, "--bot", "mybot:bot", "--json", "--first")
    assert done.status == 1, done.err
    return [line["conversation"] for line in done.lines if line["kind"] != "group"]


def test_all_omits_trials(folder: Path):
    assert chosen("--all") == [*(f"c{n:02}" for n in range(20)), "shop"]
    assert chosen("trial", "c01") == ["trial", "c01"]


def test_filters_select_conversations(folder: Path):
    assert chosen("--where", "slot.even=true,before=1700018000") == ["c00", "c02", "c04"]
    assert chosen("--since", "1700064800") == ["c02", "c18", "c19", "shop"]
    assert chosen("--since", "2023-11-15T16:13:20") == ["c02", "c18", "c19", "shop"]
    assert chosen("c02", "c03", "--where", "slot.even=true") == ["c02"]


def test_the_last_are_those_recorded_in_most_recently(folder: Path):
    assert chosen("--last", "3") == ["c02", "c19", "shop"]
    assert chosen("--last", "2", "--where", "slot.even=false") == ["c17", "c19"]


def test_a_sample_is_the_same_each_time(folder: Path):
    five, six = chosen("--sample", "5"), chosen("--sample", "6")
    assert five == chosen("--sample", "5")
    assert len(five) == 5
    assert {*five} < {*six}
    assert five == sorted(five)
    assert len(chosen("--sample", "2", "--last", "3")) == 2


def test_tools_answer_from_the_record_and_run_live_on_request(folder: Path):
    done = run("replay", "shop", "--bot", "shop:bot")
    assert (done.status, (folder / "sold").exists()) == (0, False)
    done = run("replay", "shop", "--bot", "shop:bot", "--tools", "live", "--json")
    assert done.status == 1
    assert done.lines[0]["actual"]["text"] == "It is 5."
    assert (folder / "sold").read_text() == "tea\n"
    done = run("replay", "shop", "--bot", "shop:bot", "--tools", "mine")
    assert done.status == 2
    assert "unknown --tools 'mine'; known: record, live" in done.err

"""`turnlog bundle`: the same divergence elsewhere, offline, without personal words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import turnlog
from tests.command_line import run
from turnlog import (
    BotUttered,
    Entity,
    Event,
    Intent,
    MessageRedacted,
    MessageUnderstood,
    SlotSet,
    ToolCalled,
    ToolReturned,
    UserIdentified,
    UserUttered,
)

BOT = '''
from turnlog import BotUttered, Entity, Intent, MessageUnderstood, SlotSet

async def right(conversation, message):
    return await answer(conversation, message, conversation.slots.get("name", "you"))

async def bot(conversation, message):
    """Forgets a name that was given earlier, once somebody asks for the bill."""
    return await answer(conversation, message, "you")

async def answer(conversation, message, name):
    text = message.text
    if "call me" in text:
        name = text.split("call me ")[1]
        entity = Entity("name", name, text.index(name), len(text))
        understood = MessageUnderstood(Intent("name"), (entity,))
        return [understood, SlotSet("name", name), f"Hello {name}!"]
    if "bill" in text:
        owed = await conversation.call("bill", name=conversation.slots.get("name"))
        return [BotUttered(f"{name}, you owe {owed['euros']} €", {"note": owed["note"]})]
    return "I see."
'''

PERSONAL = (
    "anna-lena.quaxley-99", "Quaxley", "anna", "lena", "anna@quaxley.example", "+49 170 5551234",
    "5551234", "0170", "Bertha", "diabetes", "Xylostreet", "7731", "1987", "DE4417", "98765",
    "whatsapp-4711", "Zebulon", "1795697779", "quaxley.example", "43.21",
)  # fmt: skip
"""The planted values: in messages, slots, arguments, results, metadata, ids, traits and times."""

ID = "anna-lena.quaxley-99"


def said(owed: dict[str, Any]) -> list[Event]:
    return [
        UserIdentified("whatsapp-4711", {"mail": "anna@quaxley.example", "born": 1987}),
        SlotSet("iban", "DE4417", actor="system"),
        UserUttered(
            "my neighbour Bertha at Xylostreet 7731 has diabetes", message_id="wamid.98765",
            timestamp=1795697779.0, extra={"metadata": {"phone": "+49 170 5551234"}},
        ),
        BotUttered("I see."),
        UserUttered("call me Quaxley", timestamp=1795697790.0, name="Zebulon", channel="whatsapp"),
        MessageUnderstood(Intent("name"), (Entity("name", "Quaxley", 8, 15),)),
        SlotSet("name", "Quaxley"),
        BotUttered("Hello Quaxley!"),
        UserUttered("my mail is anna@quaxley.example, tel. 0170/5551234", timestamp=1795697795.5),
        BotUttered("I see."),
        UserUttered("the bill for Bertha please", timestamp=1795697800.0),
        ToolCalled("bill", {"name": "Quaxley"}),
        ToolReturned(owed),
        BotUttered(f"Quaxley, you owe {owed['euros']} €", {"note": owed["note"]}),
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "diner.py").write_text(BOT)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "diner", raising=False)
    monkeypatch.setenv("TURNLOG_DB", f"sqlite:///{tmp_path}/chat.db")
    with turnlog.open(f"sqlite:///{tmp_path}/chat.db") as log:
        for event in said({"euros": 43.21, "note": "Bertha pays for Zebulon, born 1987"}):
            log.record(ID, event)
    return tmp_path


RULES = ["--ignore", "intent", "--ignore", "entity"]


def bundled(folder: Path, *options: object) -> Any:
    out = folder / "bundle.jsonl"
    return run("bundle", ID, "--bot", "diner:bot", *options, "--out", out, "--json")


def offline(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in a process without network, in a folder with only the bot and the bundle."""
    program = (
        "import socket, sys\n"
        "def refuse(*arguments): raise OSError('no network')\n"
        "socket.socket.connect = socket.socket.bind = socket.getaddrinfo = refuse\n"
        "from turnlog.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    return subprocess.run(
        [sys.executable, "-B", "-c", program, "--db", "sqlite:///fresh.db", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("old", [["--old", "diner:right"], []])
def test_the_same_divergence_elsewhere_and_none_of_the_planted_values(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, old: list[str]
) -> None:
    ran = bundled(folder, *old)
    assert ran.status == 0, ran.err
    assert ran.json["turns"][-1] == 4
    assert len(ran.json["messages"]) == 2
    content = (folder / "bundle.jsonl").read_bytes()
    text = (content.decode() + ran.out.split('"messages"')[1].split('"divergence"')[0]).casefold()
    assert [word for word in PERSONAL if word.casefold() in text] == []
    clean = tmp_path_factory.mktemp("clean")
    (clean / "diner.py").write_text(BOT)
    (clean / "bundle.jsonl").write_bytes(content)
    imported = offline(clean, "import", "bundle.jsonl")
    assert imported.returncode == 0, imported.stderr
    replayed = offline(clean, "replay", "--all", "--bot", "diner:bot", "--json")
    assert replayed.returncode == 1, replayed.stderr
    assert f'"group":"{ran.json["divergence"]["group"]}"' in replayed.stdout
    assert offline(clean, "replay", "--all", "--bot", "diner:right").returncode == 0


def test_words_that_the_divergence_goes_with_stay_and_are_named(folder: Path) -> None:
    ran = bundled(folder, "--old", "diner:right")
    assert {"call", "me", "bill"} <= set(ran.json["kept"])
    assert not {"bertha", "quaxley", "please"} & set(ran.json["kept"])


BY_NAME = """
async def right(conversation, message):
    return "welcome"

async def bot(conversation, message):
    return "welcome" if "Quaxley" not in message.text else "go away"
"""


def test_only_a_person_lets_a_value_through_that_the_divergence_needs(folder: Path) -> None:
    (folder / "rude.py").write_text(BY_NAME)
    options = ["--bot", "rude:bot", "--old", "rude:right", "--out", folder / "bundle.jsonl"]
    with turnlog.open(f"sqlite:///{folder}/chat.db") as log:
        log.record("bert", UserUttered("I am Quaxley"), BotUttered("welcome"))
    ran = run("bundle", "bert", *options)
    assert (ran.status, ran.out) == (2, "")
    assert "without 'quaxley'" in ran.err
    assert "--keep" in ran.err
    assert not (folder / "bundle.jsonl").exists()
    ran = run("bundle", "bert", *options, "--keep", "Quaxley", "--json")
    assert ran.json["kept"] == ["quaxley"]


def test_a_redacted_conversation_is_refused(folder: Path) -> None:
    with turnlog.open(f"sqlite:///{folder}/chat.db") as log:
        log.record(ID, MessageRedacted(3))
    ran = bundled(folder, "--old", "diner:right")
    assert (ran.status, ran.out) == (2, "")
    assert "is redacted in turn 1" in ran.err
    assert not (folder / "bundle.jsonl").exists()


def test_times_are_others_and_their_distances_the_same(folder: Path) -> None:
    bundled(folder, "--old", "diner:right")
    run("import", folder / "bundle.jsonl", "--db", f"sqlite:///{folder}/other.db")
    with turnlog.open(f"sqlite:///{folder}/other.db") as log:
        events = list(log.conversation("bundle").events())
    times = [event.timestamp for event in events if isinstance(event, UserUttered)]
    assert times == [946_684_800.0, 946_684_810.0]


def test_a_bot_that_depends_on_the_id_is_refused(folder: Path) -> None:
    (folder / "picky.py").write_text(
        "async def right(conversation, message): return 'yes'\n"
        "async def bot(conversation, message):\n"
        "    return 'no' if conversation.id == 'bert' else 'yes'\n"
    )
    with turnlog.open(f"sqlite:///{folder}/chat.db") as log:
        log.record("bert", UserUttered("hello"), BotUttered("yes"))
    options = ["--bot", "picky:bot", "--old", "picky:right", "--out", folder / "bundle.jsonl"]
    ran = run("bundle", "bert", *options)
    assert (ran.status, ran.out) == (2, "")
    assert "under another id" in ran.err

"""`turnlog export`: parts, manifests, messages, and what is never written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import turnlog
from tests.command_line import Ran, run
from turnlog import BotUttered, SlotSet, UserUttered
from turnlog.domain import events as e

CHAT = ["openai", "trl", "sharegpt", "alpaca", "parquet", "jsonl", "sgd", "multiwoz"]


@pytest.fixture
def db(working_log: str) -> str:
    """60 conversations of 20 users; the command line works on it and in its folder."""
    with turnlog.open(working_log, clock=lambda: 1000.0) as log:
        for number in range(60):
            talk(log, f"c{number:02}", user=f"u{number % 20}", city=f"city {number % 3}")
    return working_log


def talk(log: turnlog.Turnlog, id: str, *, user: str, city: str) -> None:
    log.record(id, e.UserIdentified(user), UserUttered(f"to {city}, says {id}"))
    log.record(id, e.MessageUnderstood(e.Intent("go"), (e.Entity("city", city, 3, 3 + len(city)),)))
    log.record(id, SlotSet("city", city), BotUttered(f"fine, {city} for {id}"))


def export(*arguments: object) -> Ran:
    ids = () if "--verify" in arguments else ("--ids", "keep")
    return run("export", *arguments, *ids)


def train(out: str, *more: object) -> Ran:
    shares = "train=0.6,dev=0.2,test=0.2"
    split = ("--split", shares, "--by", "conversation")
    return export("--format", "openai", "--out", out, *split, *more)


def ids(path: Path) -> set[str]:
    return {json.loads(line)["id"] for line in path.read_text().splitlines()}


def test_every_conversation_is_in_one_part(db, tmp_path):
    ran = train("out", "--json")
    assert (ran.status, ran.json["examples"]) == (0, 60)
    parts = [ids(tmp_path / "out" / f"{part}.jsonl") for part in ("train", "dev", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 60
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "train.jsonl", "dev.jsonl", "test.jsonl", "manifest.json",
    }  # fmt: skip


def test_nothing_moves_to_another_part_when_the_log_grows(db, tmp_path):
    train("before")
    with turnlog.open(db) as log:
        for number in range(60, 90):
            talk(log, f"c{number:02}", user=f"u{number}", city="city")
    train("after")
    for part in ("train", "dev", "test"):
        before, after = (ids(tmp_path / log / f"{part}.jsonl") for log in ("before", "after"))
        assert before
        assert before < after


def test_by_user_no_user_is_in_two_parts(db):
    assert "the same user" in train("by-conversation").err
    ran = train("by-user", "--by", "user", "--json")
    assert ran.json["leaking"] == {"text": 0, "user": 0}


@pytest.mark.parametrize("format", [*CHAT, "rasa-stories", "rasa-nlu", "rasa-e2e"])
def test_the_same_command_at_the_same_position_gives_the_same_bytes(db, tmp_path, format):
    first = export("--format", format, "--out", "a/x", "--json")
    assert first.status == 2, "a folder that is not there is not made for a file"
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert export("--format", format, "--out", "a/x").status == 0
    position = json.loads((tmp_path / "a" / "x.manifest.json").read_text())["position"]
    with turnlog.open(db) as log:
        talk(log, "c00", user="another", city="Rome")
        talk(log, "zz", user="another", city="Oslo")
    assert export("--format", format, "--out", "b/x", "--at-position", position).status == 0
    for name in ("x", "x.manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert export("--verify", "a/x.manifest.json").status == 0
    assert export("--format", format, "--out", "b/x").status == 0
    assert (tmp_path / "a" / "x").read_bytes() != (tmp_path / "b" / "x").read_bytes()


def test_postgresql_gives_the_same_bytes(db, tmp_path, postgres_url):
    with turnlog.open(postgres_url, clock=lambda: 1000.0) as log:
        for number in range(60):
            talk(log, f"c{number:02}", user=f"u{number % 20}", city=f"city {number % 3}")
    train("sqlite")
    train("postgres", "--db", postgres_url)
    for path in (tmp_path / "sqlite").iterdir():
        assert path.read_bytes() == (tmp_path / "postgres" / path.name).read_bytes()
    assert export("--verify", "sqlite/manifest.json", "--db", postgres_url).status == 0


def test_the_manifest_names_conversation_events_and_hash_of_each_example(db, tmp_path):
    with turnlog.open(db) as log:
        log.record("c00", UserUttered("no"), e.UserUtteranceReverted(to=5))
    export("--format", "openai", "--out", "x.jsonl", "c00", "c01", "c00")
    manifest = json.loads((tmp_path / "x.jsonl.manifest.json").read_text())
    assert manifest["query"] == {"ids": ["c00", "c01"], "where": None}
    assert manifest["options"]["format"] == "openai"
    assert manifest["versions"] == {"turnlog": turnlog.__version__}
    assert [(x["conversation"], x["events"]) for x in manifest["examples"]] == [
        ("c00", [1, 5]), ("c01", [1, 5]),
    ]  # fmt: skip
    assert all(len(x["sha256"]) == 64 for x in manifest["examples"])
    assert manifest["left_out"] == {"rewound": 2}
    assert manifest["lost"]["SlotSet"] == 2


def test_verify_finds_a_changed_file_example_and_log(db, tmp_path):
    train("out")
    manifest = tmp_path / "out" / "manifest.json"
    assert export("--verify", manifest, "--json").json == {"ok": True, "findings": []}
    noted = manifest.read_text()

    file = tmp_path / "out" / "train.jsonl"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"fine", b"gone", 1))
    ran = export("--verify", manifest, "--json")
    assert (ran.status, [f["file"] for f in ran.json["findings"]]) == (1, ["train.jsonl"])
    file.unlink()
    assert "file does not exist" in export("--verify", manifest).out
    file.write_bytes(content)

    entry = json.loads(noted)["examples"][0]
    manifest.write_text(noted.replace(entry["sha256"], "0" * 64))
    (found,) = export("--verify", manifest, "--json").json["findings"]
    assert (found["conversation"], found["events"]) == (entry["conversation"], entry["events"])
    manifest.write_text(noted)

    with turnlog.open(db) as log:
        log.delete(entry["conversation"])
    (found,) = export("--verify", manifest, "--json").json["findings"]
    assert found["conversation"] == entry["conversation"]
    assert "deleted" in found["what"]


def test_a_deleted_conversation_is_not_written_at_any_position(db, tmp_path):
    export("--format", "openai", "--out", "before.jsonl")
    position = json.loads((tmp_path / "before.jsonl.manifest.json").read_text())["position"]
    with turnlog.open(db) as log:
        log.delete("c07")
    export("--format", "openai", "--out", "after.jsonl", "--at-position", position)
    assert ids(tmp_path / "before.jsonl") - ids(tmp_path / "after.jsonl") == {"c07"}
    assert export("--format", "openai", "--out", "x.jsonl", "c07").status == 2


def test_where_holds_at_the_position_of_the_export(db, tmp_path):
    with turnlog.open(db) as log:
        position = log.store.reader.last_position()
        log.record("c00", SlotSet("city", "elsewhere"))
    term = ("--where", "slot.city=city 0", "--format", "openai")
    export(*term, "--out", "then.jsonl", "--at-position", position)
    export(*term, "--out", "now.jsonl")
    assert ids(tmp_path / "then.jsonl") - ids(tmp_path / "now.jsonl") == {"c00"}
    assert len(ids(tmp_path / "then.jsonl")) == 20


def test_a_conversation_without_examples_is_named(db):
    with turnlog.open(db) as log:
        log.record("only-slots", SlotSet("a", 1))
    ran = export("--format", "openai", "--out", "x.jsonl")
    assert ran.status == 0
    assert "the format can write nothing for: conversation 'only-slots'" in ran.err
    assert "the format cannot hold: 60 × SlotSet" in ran.err


def test_one_faulty_conversation_stops_everything_and_is_named_with_its_turn(db, tmp_path):
    with turnlog.open(db) as log:
        log.record("bad", UserUttered("hello"), BotUttered("hi"), UserUttered(""), BotUttered("?"))
    for arguments in ((), ("--split", "train=0.5,test=0.5")):
        ran = export("--format", "openai", "--out", "x", *arguments)
        assert ran.status == 2
        assert "conversation 'bad': turn 2: messages[2].content: the message is empty" in ran.err
        assert not list(tmp_path.glob("x*")) + list(tmp_path.glob(".x*"))
    ran = export("--format", "openai", "--out", "x", "--skip-faulty", "--json")
    assert (ran.status, ran.json["examples"]) == (0, 60)
    assert [fault["conversation"] for fault in ran.json["faulty"]] == ["bad"]


def test_messages_name_the_logs_turn_numbers(db):
    with turnlog.open(db) as log:
        log.record("bad", UserUttered("one"), BotUttered("1"))
        log.record("bad", UserUttered("two"), BotUttered("2"), e.UserUtteranceReverted(to=2))
        log.record("bad", UserUttered("three"), BotUttered(" "))
    ran = export("--format", "openai", "--out", "x", "--json")
    (fault,) = ran.json["faulty"]
    assert (fault["conversation"], fault["turn"]) == ("bad", 3)


def test_include_brings_back_omitted_events(db, tmp_path):
    with turnlog.open(db) as log:
        log.record("c00", UserUttered("oops"), BotUttered("sorry"), e.UserUtteranceReverted(to=5))
        log.record("c00", UserUttered("again"), e.BotFailed("error", "boom"))
    export("--format", "openai", "--out", "less", "c00")
    export("--format", "openai", "--out", "more", "--include", "errors,rewound", "c00")
    said = [
        [message["content"] for message in json.loads((tmp_path / name).read_text())["messages"]]
        for name in ("less", "more")
    ]
    assert said[0] == ["to city 0, says c00", "fine, city 0 for c00"]
    assert said[1] == [*said[0], "oops", "sorry", "again"]


def test_half_an_answer_is_not_taught(db, tmp_path):
    with turnlog.open(db) as log:
        log.record("c00", UserUttered("again"), BotUttered("as I sa"), e.AnswerBrokenOff())
    ran = export("--format", "openai", "--out", "out", "c00", "--json")
    assert ran.json["left_out"] == {"errors": 3}
    assert "as I sa" not in (tmp_path / "out").read_text()
    export("--format", "openai", "--out", "all", "c00", "--include", "errors")
    assert "as I sa" in (tmp_path / "all").read_text()


def test_jsonl_keeps_everything(db, tmp_path):
    with turnlog.open(db) as log:
        log.record("c00", UserUttered("oops"), e.UserUtteranceReverted())
    export("--format", "jsonl", "--out", "x.jsonl", "c00")
    events = json.loads((tmp_path / "x.jsonl").read_text())["events"]
    assert [event["type"] for event in events][-2:] == ["UserUttered", "UserUtteranceReverted"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--format", "openai"),
        ("--out", "x"),
        ("--format", "unknown", "--out", "x"),
        ("--format", "openai", "--out", "x", "--by", "day"),
        ("--format", "openai", "--out", "x", "--split", "train=2"),
        ("--format", "openai", "--out", "x", "--at-position", "99999"),
        ("--format", "openai", "--out", "x", "--include", "deleted"),
        ("--format", "openai", "--out", "x", "missing"),
        ("--format", "openai", "--out", "/nowhere/x"),
        ("--verify", "nowhere.json"),
        ("--verify", "log.db"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(db, tmp_path, arguments):
    ran = export(*arguments)
    assert ran.status == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert all(path.name.startswith("log.db") for path in tmp_path.iterdir())


def test_a_manifest_that_points_elsewhere_is_refused(db, tmp_path):
    export("--format", "openai", "--out", "x")
    manifest = tmp_path / "x.manifest.json"
    for before, after in (('"x":', '"../x":'), ('"split":null', '"split":{"../../x":1.0}')):
        other = tmp_path / "other.manifest.json"
        other.write_text(manifest.read_text().replace(before, after))
        assert export("--verify", other).status == 2

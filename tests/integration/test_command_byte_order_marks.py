"""A UTF-8 byte order mark, which some editors and spreadsheets write, is skipped everywhere."""

from __future__ import annotations

import io
import json
import sys
from codecs import BOM_UTF8
from pathlib import Path

import pytest

from tests.command_line import run
from turnlog.serializers.formats import BUILT_IN, codec, detect

EVENTS = '[{"event":"user","text":"hi","timestamp":1.0},{"event":"pause","timestamp":2.0}]'
LINE = b'{"format":"turnlog/1","conversation":"%s","events":[{"type":"UserUttered","text":"hi"}]}\n'

FILES = {
    "jsonl": LINE % b"a" + LINE % b"b",
    "openai": b'{"id":"a","messages":[{"role":"user","content":"hi"}]}\n',
    "openai array": b'[{"traj":[{"role":"user","content":"hi"}],"task_id":1,"trial":0}]',
    "openai tau2": b'{"simulations":[{"id":"a","messages":[{"role":"user","content":"hi"}]}]}',
    "sgd": b'[{"dialogue_id":"a","services":[],"turns":[{"speaker":"USER","utterance":"hi",'
    b'"frames":[]}]}]',
    "multiwoz": b'{"a":{"log":[{"text":"hi","metadata":{}}]}}',
    "naif": b'{"a":{"unit":"u","state":"s","time":1602775249799,"active":true}}',
    "atif": b'{"schema_version":"ATIF-v1.8","session_id":"a","agent":{"name":"b","version":"1"},'
    b'"steps":[{"step_id":1,"source":"user","message":"hi"}]}',
    "rasa-tracker": b'{"sender_id":"a","latest_event_time":2.0,"events":%s}' % EVENTS.encode(),
    "rasa-mongo": b'{"_id":{"$oid":"5f"},"sender_id":"a","events":%s}' % EVENTS.encode(),
    "rasa-dynamo": b'{"sender_id":{"S":"a"},"events":{"L":[{"M":{"event":{"S":"pause"}}}]}}',
    "rasa-redis": json.dumps({"tracker:a": json.dumps({"events": json.loads(EVENTS)})}).encode(),
    "rasa-dialogue": b'{"py/object":"rasa.shared.core.trackers.Dialogue","name":"a","events":[]}',
}
OF_TEXT = {name for name in BUILT_IN if codec(name).reads} - {"rasa-sql"}


def test_every_format_that_is_read_as_text_is_tried() -> None:
    assert {name.partition(" ")[0] for name in FILES} == OF_TEXT


@pytest.mark.parametrize("kind", FILES)
def test_a_file_reads_the_same_with_and_without(kind: str, tmp_path: Path) -> None:
    plain, marked = tmp_path / "plain", tmp_path / "marked"
    for folder, mark in ((plain, b""), (marked, BOM_UTF8)):
        folder.mkdir()
        (folder / "file.json").write_bytes(mark + FILES[kind])
    found = [detect(folder / "file.json") for folder in (plain, marked)]
    assert [each and each.name for each in found] == [kind.partition(" ")[0]] * 2
    for arguments in ((), ("--format", kind.partition(" ")[0])):
        stored = [
            run("import", folder / "file.json", *arguments, "--dry-run", "--json", "--db", log)
            for folder in (plain, marked)
            for log in [db(folder)]
        ]
        assert stored[0].json == {**stored[1].json, "refused": stored[0].json["refused"]}
        assert len(stored[0].json["refused"]) == len(stored[1].json["refused"])


def db(folder: Path) -> str:
    """A log with other content."""
    url = f"sqlite:///{folder}/log.db"
    (folder / "other.json").write_text('{"type": "UserUttered", "text": "hi"}')
    assert run("append", "other", folder / "other.json", "--db", url).status == 0
    return url


def test_files_with_marks_put_together_are_read(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    file.write_bytes(b"".join(BOM_UTF8 + LINE % id for id in (b"a", b"b", b"c")))
    ran = run("import", file, "--json", "--db", f"sqlite:///{tmp_path}/log.db")
    assert (ran.status, ran.json["conversations"]) == (0, 3)


@pytest.mark.parametrize(
    "events",
    [
        b'{"type":"UserUttered","text":"hi"}',
        b'[{"type":"UserUttered","text":"hi"}]',
        b'{"type":"UserUttered","text":"hi"}\n{"type":"BotUttered","text":"hello"}\n',
    ],
)
def test_append_takes_marks_from_files_and_from_stdin(
    events: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    (tmp_path / "events.json").write_bytes(BOM_UTF8 + events)
    assert run("append", "a", tmp_path / "events.json", "--db", url).status == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BOM_UTF8 + events)))
    assert run("append", "a", "--db", url).status == 0


def test_rules_domains_and_manifests_take_marks(tmp_path: Path) -> None:
    from turnlog.replay.allowing.rules import load
    from turnlog.serializers.rasa.domain import read_domain

    (tmp_path / "rules.toml").write_bytes(BOM_UTF8 + b'ignore = ["text"]\n')
    assert load(tmp_path / "rules.toml").ignore == ("text",)
    (tmp_path / "domain.yml").write_bytes(BOM_UTF8 + b"slots:\n  city:\n    type: text\n")
    assert "city" in [slot.name for slot in read_domain(tmp_path / "domain.yml").slots]
    out = tmp_path / "out.jsonl"
    url = db(tmp_path)
    assert run("export", "--format", "jsonl", "--out", out, "--db", url).status == 0
    manifest = tmp_path / "out.jsonl.manifest.json"
    manifest.write_bytes(BOM_UTF8 + manifest.read_bytes())
    assert run("export", "--verify", manifest, "--db", url).status == 0

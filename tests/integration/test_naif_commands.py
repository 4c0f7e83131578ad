"""NaifJs's sessions through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.property.test_naif import DOCUMENTED
from turnlog.serializers.naif.javascript import parse, stringify


def turnlog(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "turnlog", "--db", f"sqlite:///{folder}/log.db", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_sessions_round_trip_unchanged(tmp_path):
    (tmp_path / "sessions.json").write_text(DOCUMENTED)
    stored = turnlog(tmp_path, "import", "sessions.json", "--format", "naif", "--json")
    assert json.loads(stored.stdout)["conversations"] == 2
    out = turnlog(tmp_path, "export", "--format", "naif", "--out", "out.json")
    assert out.returncode == 0, out.stderr
    assert (tmp_path / "out.json").read_text() == stringify(parse(DOCUMENTED), "  ")
    again = turnlog(tmp_path, "import", "out.json", "--format", "naif", "--json")
    assert json.loads(again.stdout)["unchanged"] == 2


def test_a_corrupt_file_is_one_clear_line_and_stores_nothing(tmp_path):
    (tmp_path / "sessions.json").write_text(DOCUMENTED[:500])
    refused = turnlog(tmp_path, "import", "sessions.json", "--format", "naif")
    assert refused.returncode == 2
    assert "sessions.json:" in refused.stderr
    assert "is not JSON" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert turnlog(tmp_path, "list", "--json").stdout == ""


def test_a_session_that_is_not_an_object_is_refused_by_name_and_the_others_are_stored(tmp_path):
    (tmp_path / "sessions.json").write_bytes(b'\xef\xbb\xbf{"a":5,"b":{"unit":"x"},"c":null}')
    stored = turnlog(tmp_path, "import", "sessions.json", "--format", "naif", "--json")
    assert stored.returncode == 2
    found = json.loads(stored.stdout)
    assert [refused["conversation"] for refused in found["refused"]] == ["a", "c"]
    listed = turnlog(tmp_path, "list", "--json").stdout
    assert [json.loads(line)["conversation"] for line in listed.splitlines()] == ["b"]


def test_a_file_that_is_not_an_object_is_refused_whole(tmp_path):
    for text in ("[]", "5", '{"a":{"unit":"x"}', '{"a":{"unit":"x"}} {}'):
        (tmp_path / "sessions.json").write_text(text)
        refused = turnlog(tmp_path, "import", "sessions.json", "--format", "naif", "--json")
        assert refused.returncode == 2
        assert json.loads(refused.stdout)["conversations"] == 0

"""`turnlog serve --keys` serves conversations as on any other log and leaves none in its files."""

from __future__ import annotations

from pathlib import Path

import httpx

import turnlog
from tests.parts import turnlog as turnlog_part
from turnlog.audit.verify import verify

ECHO = "tests.integration.live.bots:echo"


def test_no_file_of_a_sealed_server_contains_what_was_said(tmp_path: Path) -> None:
    db, keys = f"sqlite:///{tmp_path}/log/chat.db", f"sqlite:///{tmp_path}/keys.db"
    (tmp_path / "log").mkdir()
    with turnlog_part.running("--client-ids", "--keys", keys, db=db, bot=ECHO) as server:
        said = {"sender": "+49 170 CANARY", "message": "CANARY hello"}
        answers = httpx.post(f"{server.url}/webhooks/rest/webhook", json=said, timeout=30).json()
        assert any("CANARY hello" in answer["text"] for answer in answers)
        shown = httpx.get(f"{server.url}/v1/conversations/+49 170 CANARY/events", timeout=30)
        assert "CANARY hello" in shown.text
        files = [path for path in (tmp_path / "log").iterdir() if path.is_file()]
        assert not [path for path in files if b"CANARY" in path.read_bytes()]
    with turnlog.open(db, keys=keys) as log:
        assert list(log.ids()) == ["+49 170 CANARY"]
        assert verify(log.store).faults == []

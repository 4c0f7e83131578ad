"""The wheel, alone in a fresh environment, serves the chat page."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.conftest import needing
from tests.parts import PartMissing
from tests.parts.server import HOST, Server, free_port
from tests.unit.test_wheel import built_wheel

TOGETHER = 400_000
"""Bytes of everything that a browser loads."""


@pytest.mark.timeout(300)
def test_the_wheel_by_itself_serves_the_chat_page(tmp_path: Path) -> None:
    with needing("package index"):
        python = installed_alone(built_wheel(tmp_path), tmp_path / "environment")
    port = free_port()
    url = f"http://{HOST}:{port}"
    command = [python, "-m", "turnlog", "serve", "--bot", "turnlog.bots.booking:bot"]
    server = Server(
        [*command, "--port", str(port)], url=url, folder=tmp_path, answers=lambda: answers(url)
    )
    try:
        page = fetched(f"{url}/").decode()
        files = [part.split('"')[0] for part in page.split('"/static/')[1:]]
        assert "chat.js" in files
        assert sum(len(fetched(f"{url}/static/{name}")) for name in files) < TOGETHER
        begun = json.loads(fetched(f"{url}/chat/session", {}))
        said = fetched(f"{url}/chat/messages", {"message": "hi"}, token=begun["token"])
        assert json.loads(said)["event"] == 1
    finally:
        server.kill()


def installed_alone(wheel: Path, environment: Path) -> str:
    """The Python of a new environment with the wheel and the packages it declares."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = str(environment / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", "-q", f"{wheel}[server]"], capture_output=True, text=True, check=False
    )
    if done.returncode and "Failed to establish a new connection" in done.stderr:
        raise PartMissing(done.stderr[-200:])
    assert done.returncode == 0, done.stderr
    return python


def answers(url: str) -> bool:
    try:
        return bool(fetched(f"{url}/health"))
    except OSError:
        return False


def fetched(url: str, body: object = None, token: str = "") -> bytes:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, data, headers if data else {})
    with urllib.request.urlopen(request, timeout=10) as response:
        content: bytes = response.read()
        return content


def test_the_wheel_contains_no_foreign_code(tmp_path: Path) -> None:
    with zipfile.ZipFile(built_wheel(tmp_path)) as wheel:
        scripts = [name for name in wheel.namelist() if name.endswith(".js")]
        longest = max(len(line) for name in scripts for line in wheel.read(name).splitlines())
    assert "turnlog/server/static/chat.js" in scripts
    assert longest < 200  # nothing minified

"""The real Rasa with a real turnlog server; see scripts/test-rasa."""

import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

PYTHON = os.environ.get("TURNLOG_PYTHON")
"""The Python that has turnlog; Rasa's own is too old for it."""


class Server:
    """`turnlog serve` on one file; a test can stop and restart it."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.db = f"sqlite:///{folder}/chat.db"
        self.process = None

    def start(self, *options: str) -> None:
        command = [PYTHON, "-m", "turnlog", "serve", "--port", str(self.port), "--db", self.db]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("the server does not start")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def turnlog(*arguments: str) -> None:
    subprocess.run([PYTHON, "-m", "turnlog", *arguments], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(autouse=True)
def _in_a_separate_folder(tmp_path, monkeypatch):
    """The file for waiting turns, in the folder in which Rasa runs."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(tmp_path):
    started = Server(tmp_path)
    started.start()
    yield started
    started.stop()

"""`turnlog serve` with an impossible port: one line that names the option."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import run


@pytest.mark.parametrize("port", ["80000", "-1", "http"])
def test_an_impossible_port_is_wrong_usage(port: str) -> None:
    ran = run("serve", "--port", port)
    assert ran.status == 2
    assert "--port" in ran.err
    assert "unexpected" not in ran.err


def test_a_port_in_use_names_the_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "turnlog", "serve", "--port", port]
        ran = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"turnlog: 127.0.0.1:{port}: Address already in use")
    assert "--port" in ran.stderr

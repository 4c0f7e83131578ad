"""The real parts really run, and end when they should."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.parts import ROOT
from tests.parts.valkey import ping

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext

    from tests.parts.node import Node
    from tests.parts.server import Server

HOLD_A_SERVER = """
import time
from tests.parts import valkey
with valkey.running() as server:
    print(server.url, flush=True)
    time.sleep(60)
"""


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def test_postgres_answers_in_an_empty_database(postgres_url: str) -> None:
    import psycopg

    with psycopg.connect(postgres_url) as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(b"SELECT 1").fetchone() == (1,)
        assert connection.execute(tables.encode()).fetchone() == (0,)


def test_each_test_has_its_own_postgres_database(postgres_url: str, postgres: Server) -> None:
    import psycopg

    with psycopg.connect(postgres.url) as connection:
        rows = connection.execute(b"SELECT datname FROM pg_database WHERE datname ~ '^test_'")
        assert postgres_url.rpartition("/")[2] in [name for (name,) in rows]


def test_valkey_answers_ping(valkey: Server) -> None:
    assert ping(port_of(valkey.url)) == b"+PONG\r\n"


def test_valkey_keeps_what_it_acknowledged_through_a_crash(valkey: Server) -> None:
    import valkey as client

    with client.Valkey.from_url(valkey.url) as before:
        before.set("turn", "1")
    valkey.restart()
    with client.Valkey.from_url(valkey.url) as after:
        assert after.get("turn") == b"1"


def test_a_paused_server_answers_again_after_resume(valkey: Server) -> None:
    import valkey as client

    with client.Valkey.from_url(valkey.url, socket_timeout=0.2) as connection:
        valkey.pause()
        with pytest.raises(client.exceptions.TimeoutError):
            connection.ping()
        valkey.resume()
        assert connection.ping()


def test_a_server_dies_with_the_process_that_started_it(valkey: Server, tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_SERVER],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},  # it cannot tidy up after itself
    )
    assert holder.stdout is not None
    with holder.stdout as printed:
        port = port_of(printed.readline().strip())
        assert ping(port) == b"+PONG\r\n"
        holder.kill()
        holder.wait()
    deadline = time.monotonic() + 10
    while ping(port):
        assert time.monotonic() < deadline, "the server outlives its process"
        time.sleep(0.02)


def test_chromium_renders_the_text_of_a_page(chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto("data:text/html,<h1>Good morning</h1>")
    assert page.inner_text("h1") == "Good morning"
    drawn = page.screenshot()
    page.goto("data:text/html,<h1>Good evening</h1>")
    assert drawn.startswith(b"\x89PNG")
    assert page.screenshot() != drawn


def test_a_chromium_profile_outlives_the_browser(
    chromium_profile: Callable[[], AbstractContextManager[BrowserContext]],
) -> None:
    def visit(script: str) -> object:
        with chromium_profile() as browser:
            browser.route("**/*", lambda route: route.fulfill(body="a page"))
            page = browser.new_page()
            page.goto("http://localhost/")
            return page.evaluate(script)

    visit("localStorage.setItem('conversation', '7')")
    assert visit("localStorage.getItem('conversation')") == "7"


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("socket.io-client-2", "2.5.0"),
        ("socket.io-client-3", "3.1.3"),
        ("socket.io-client-4.1", "4.1.3"),
        ("socket.io-client-4", "4.8.4"),
    ],
)
def test_each_socket_io_client_loads_in_its_version(node: Node, package: str, version: str) -> None:
    source = """
        import { createRequire } from "node:module";
        const load = createRequire(process.cwd() + "/");
        const [name] = process.argv.slice(1);
        console.log(load(name + "/package.json").version, typeof load(name).connect);
    """
    assert node.run(source, package).split() == [version, "function"]
    assert (node.modules / package / "dist" / "socket.io.js").is_file()


def test_the_rasa_web_chat_has_its_built_file(node: Node) -> None:
    built = (node.modules / "rasa-webchat" / "lib" / "index.js").read_text()
    assert "exports.WebChat=" in built

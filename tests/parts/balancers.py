"""The machine's nginx and haproxy, each with the snippet of docs/chat.md."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.parts import ROOT, PartMissing
from tests.parts.server import HOST, Server, free_port

FIRST, SECOND, OPEN = "127.0.0.1:5005", "127.0.0.1:5006", r"(\*:)?8080"
"""The ports in the snippets."""

NGINX = """daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
access_log off;
client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{snippet}
}}
"""
CHECKS = {"nginx": ["-t"], "haproxy": ["-c"]}
WRAPPED = {"nginx": NGINX, "haproxy": "{snippet}\n"}


@contextmanager
def running(name: str, servers: Sequence[Server], *, without: str = "") -> Iterator[str]:
    """The URL of a balancer in front of two servers. without: a line of the snippet to omit."""
    program = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if program is None:
        raise PartMissing(f"no {name} on this machine")
    port = free_port()
    with tempfile.TemporaryDirectory(prefix=f"turnlog-{name}-") as made:
        folder = Path(made)
        (folder / "settings").write_text(_settings(name, folder, servers, port, without))
        flags = ["-p", folder, "-c"] if name == "nginx" else ["-f"]
        command = [program, *map(str, flags), str(folder / "settings")]
        checked = subprocess.run(
            [*command, *CHECKS[name]], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stderr
        url = f"http://{HOST}:{port}"
        balancer = Server(command, url=url, folder=folder, answers=lambda: _listens(port))
        try:
            yield url
        finally:
            balancer.kill()


def _settings(name: str, folder: Path, servers: Sequence[Server], port: int, without: str) -> str:
    [snippet] = re.findall(rf"```{name}\n(.*?)```", (ROOT / "docs/chat.md").read_text(), re.DOTALL)
    assert without in snippet
    lines = [line for line in snippet.splitlines() if not without or without not in line]
    text = "\n".join(lines)
    for place, server in zip((FIRST, SECOND), servers, strict=True):
        text = text.replace(place, server.url.removeprefix("http://"))
    return WRAPPED[name].format(
        folder=folder, snippet=re.sub(OPEN, f"{HOST}:{port}", text, count=1)
    )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0

"""A server process that a test can kill, pause and restart."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.parts import PartMissing

LAUNCH = str(Path(__file__).with_name("launch.py"))
HOST = "127.0.0.1"


def launched(command: Sequence[str | Path], *, user: int | None = None) -> list[str]:
    """The command, wrapped so that it runs as `user` and dies with this process.

    Start it from the main thread, because the kernel counts the end of the starting thread.
    """
    uid = os.getuid() if user is None else user
    return [sys.executable, "-SE", LAUNCH, str(os.getpid()), str(uid), *map(str, command)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A running server on `port`, reachable under `url`, its files in `folder`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        url: str,
        folder: Path,
        answers: Callable[[], bool],
        user: int | None = None,
    ) -> None:
        self.url = url
        self.folder = folder
        self.log = folder / "server.log"
        self._command = launched(command, user=user)
        self._answers = answers
        self._environment = {"PATH": os.defpath, "LC_ALL": "C", "TMPDIR": str(folder)}
        self.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self, *, seconds: float = 60) -> None:
        """Starts the process and waits until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the test run, not for its servers
            )
        deadline = time.monotonic() + seconds
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise PartMissing("it does not start: " + self.log.read_text()[-200:])
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends the process in good order, by force after ten seconds."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends the process immediately, as a crash does."""
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Crashes and starts again: the same port and files."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Hangs: connections stay open and nothing answers until `resume`."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

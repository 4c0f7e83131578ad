"""promptfoo, in a separate folder: it is large, and needs a newer Node.js than the others.

Optional dependencies, other companies' libraries and a database, are omitted.
"""

from tests.parts import INSTALLED
from tests.parts.node import Node, exclusive, programs, run_npm

VERSION = "0.123.1"
OLDEST = 22


def installed() -> Node:
    """A Node.js that can import it; installed on first use."""
    program, npm = programs(OLDEST)
    folder = INSTALLED / f"promptfoo-{VERSION}"
    with exclusive("promptfoo.lock"):
        if not (folder / "installed").exists():
            folder.mkdir(exist_ok=True)
            (folder / "package.json").write_text('{"private": true}')
            which = ["--omit=optional", f"promptfoo@{VERSION}"]
            run_npm([str(program), str(npm), "install", *which], folder)
            (folder / "installed").touch()
    return Node(program, folder / "node_modules")

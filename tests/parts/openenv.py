"""OpenEnv, which conflicts with verifiers, in a separate environment.

It is installed without the dependencies of its pages and command: gradio alone is 80 MB, and 4 s to
import.
"""

from pathlib import Path

from tests.parts import own_python

VERSION = "0.10.0"
_SERVES = ["fastapi>=0.116", "fastmcp>=3,<4", "httpx>=0.28", "pyyaml", "requests", "uvicorn"]


def installed() -> Path:
    """The Python that has it; made on first use."""
    needed = [*_SERVES, "websockets>=15", *own_python.of_turnlog()]
    return own_python.made(f"openenv-{VERSION}", needed, ["--no-deps", f"openenv=={VERSION}"])

"""verifiers, which needs an older openai than the tests have, in a separate environment."""

from pathlib import Path

from tests.parts import own_python

VERSION = "0.4.0"


def installed() -> Path:
    """The Python that has it; made on first use."""
    needed = [f"verifiers=={VERSION}", *own_python.of_turnlog()]
    return own_python.made(f"verifiers-{VERSION}", needed)

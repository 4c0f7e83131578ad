"""Installs every part and starts it once; prints for each whether it is available, or why not."""

import time
from collections.abc import Callable

from tests.parts import (
    PartMissing,
    aics_tlog,
    chromium,
    llama_factory,
    node,
    openenv,
    pgbouncer,
    postgres,
    promptfoo,
    rasa_schemas,
    trl,
    valkey,
    verifiers,
)


def main() -> None:
    for name, check in CHECKS.items():
        begun = time.monotonic()
        try:
            check()
        except PartMissing as missing:
            print(f"parts: {name} not had: {missing}", flush=True)
        else:
            print(f"parts: {name} ({time.monotonic() - begun:.1f} s)", flush=True)


def check_postgres() -> None:
    with postgres.running():
        pass


def check_pgbouncer() -> None:
    with postgres.running() as server, pgbouncer.running(server, "transaction"):
        pass


def check_valkey() -> None:
    with valkey.running():
        pass


def check_chromium() -> None:
    with chromium.browser():
        pass


CHECKS: dict[str, Callable[[], object]] = {
    "postgres": check_postgres,
    "pgbouncer": check_pgbouncer,
    "valkey": check_valkey,
    "node": node.installed,
    "chromium": check_chromium,
    "rasa schemas": rasa_schemas.installed,
    "aics-tlog": aics_tlog.installed,
    "llama-factory": llama_factory.installed,
    "promptfoo": promptfoo.installed,
    "trl": trl.installed,
    "verifiers": verifiers.installed,
    "openenv": openenv.installed,
}

if __name__ == "__main__":
    main()

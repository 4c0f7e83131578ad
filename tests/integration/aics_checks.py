"""Run by a Python that has aics-tlog and no turnlog: checks what a log has published.

FOLDER has tiles and checkpoints, `keys` with a line each for the log and a witness, `proofs/` with
tlog-proofs and `consistency.json` with `[old, new, [hash…]]`. Prints what was accepted, as JSON.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import aics_tlog as other


def main(folder: Path) -> dict[str, Any]:
    log, witness = map(other.parse_vkey, (folder / "keys").read_text().split())
    reader = other.FileSystemTileReader(folder)
    notes = [other.parse_note(file.read_text()) for file in checkpoints(folder)]
    heads = {}
    for note in notes:
        policy = other.WitnessPolicy(1, (witness,))
        seen = other.verify_checkpoint(note, log, policy=policy)
        assert seen.ok, seen.error
        other.audit_tiles(reader, seen.size, seen.root, entries=True)
        assert other.tree_root_from_tiles(reader, seen.size) == seen.root
        heads[seen.size] = seen.root
    return {
        "checkpoints": len(heads),
        "inclusions": sum(included(file, log, reader) for file in (folder / "proofs").iterdir()),
        "consistencies": sum(consistent(folder, heads)),
    }


def checkpoints(folder: Path) -> list[Path]:
    kept = [file for file in (folder / "checkpoints").rglob("*") if file.is_file()]
    return [folder / "checkpoint", *kept]


def included(file: Path, log: Any, reader: Any) -> bool:
    """A tlog-proof, with the entry that stands in the tiles."""
    body, _, note = file.read_text().partition("\n\n")
    first, _, index, *path = body.split("\n")
    assert first == "c2sp.org/tlog-proof@v1"
    head = other.verify_checkpoint(other.parse_note(note), log)
    assert head.ok, head.error
    at, hashes = int(index.removeprefix("index ")), list(map(base64.b64decode, path))
    entry = other.read_entry(reader, at, head.size)
    return bool(other.verify_leaf_inclusion(entry, at, head.size, hashes, head.root))


def consistent(folder: Path, heads: dict[int, bytes]) -> list[bool]:
    every = json.loads((folder / "consistency.json").read_text())
    return [
        other.verify_consistency(
            old, new, heads[old], heads[new], list(map(base64.b64decode, hashes))
        )
        for old, new, hashes in every
    ]


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))

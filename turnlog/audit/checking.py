"""Checks the proof of a turn, without the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnlog.errors import InvalidProof
from turnlog.proof.checkpoint import LogCheckpoint, checked
from turnlog.proof.inclusion import InclusionProof
from turnlog.proof.keys import Verifier
from turnlog.proof.note import Note
from turnlog.proof.turn_proof import ProvenTurn, Sidecar
from turnlog.proof.turn_proof import check as check_turn


def check(
    proof: bytes, sidecar: bytes, heads: Iterable[bytes], verifiers: Sequence[Verifier]
) -> ProvenTurn:
    """What a proof shows. heads: stored elsewhere; the proof must agree with them.

    Raises InvalidProof or InvalidNote if it proves nothing.
    """
    proven = check_turn(InclusionProof.parse(proof), Sidecar.parse(sidecar), verifiers)
    for head in heads:
        _agree(proven, checked(Note.parse(head), verifiers).checkpoint)
    return proven


def _agree(turn: ProvenTurn, kept: LogCheckpoint) -> None:
    proven = turn.head.checkpoint
    if proven.origin != kept.origin:
        raise InvalidProof(f"the stored head belongs to the log {kept.origin}, not to this one")
    if any(each.size == kept.size and each.leads(kept, proven) for each in turn.sidecar.goes_on):
        return
    if proven.size != kept.size:
        sizes = f"the proof has a head of size {proven.size}, the stored head has size {kept.size}"
        raise InvalidProof(f"{sizes}; make the proof with `prove --head` and the stored head")
    if proven != kept:
        raise InvalidProof("its head is not the stored head of that size, though both are signed")

"""`turnlog verify`: whether a log is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from turnlog.cli import output
from turnlog.cli.settings import Ids, open_log, open_sealed, settings
from turnlog.domain.amounts import amount, apart

Jobs = Annotated[int, typer.Option("--jobs", metavar="N", min=1, help="Processes.")]

Heads = Annotated[
    list[Path] | None,
    typer.Option("--head", metavar="NOTE", help="A head that was signed and kept elsewhere."),
]
Verifiers = Annotated[
    list[Path] | None,
    typer.Option("--verifier", metavar="F.pub", help="A public key that heads are signed with."),
]


Authorities = Annotated[
    list[Path] | None,
    typer.Option("--tsa", metavar="CERT.pem", help="An authority whose timestamps are believed."),
]


def verify(
    ids: Ids = None,
    jobs: Jobs = 1,
    head: Heads = None,
    verifier: Verifiers = None,
    tsa: Authorities = None,
) -> None:
    """Check that nothing recorded was changed.

    And that heads, snapshots and read models follow from it.

    With IDs: these conversations' events, heads and snapshots alone. With heads: that the log
    still goes on from what was signed, which shows what was rewritten, cut off or put back. A
    sealed log without --keys: its digests alone, which need no key.
    Exit status 1 for a fault.
    """
    from turnlog.projections import register_installed

    register_installed()
    kept = _kept(head or (), verifier or (), tsa or ())
    verification, anchored = _verified(ids, jobs, kept)
    _report(verification, anchored)
    if not verification.ok:
        raise typer.Exit(1)


def _verified(ids: Ids, jobs: int, kept: list[Any]) -> tuple[Any, Any]:
    """What was found, and how far the log goes on from the heads, where there are any."""
    from turnlog.audit.fault import Fault
    from turnlog.audit.verify import Verification
    from turnlog.audit.verify import verify as checked
    from turnlog.errors import Corrupt

    try:
        with _opened() as (store, is_sealed):
            if is_sealed:
                verification = _without_keys(store, ids)
            else:
                verification = checked(store, ids or None, jobs=jobs)
            return verification, _anchored(store, kept, verification)
    except Corrupt as error:  # what a log begins with, without which it is not opened
        return Verification(faults=[Fault(None, None, str(error))], ok=False), None


def _report(verification: Any, anchored: Any) -> None:
    from msgspec.structs import asdict

    counted = {name: held for name, held in asdict(verification).items() if held is not None}
    found = counted | ({} if anchored is None else {"anchored": asdict(anchored)})
    output.document(found, human=lambda: _print(verification, anchored))
    if settings().json and anchored is None:
        output.note("not anchored: no head was given")


def _kept(heads: Any, verifiers: Any, authorities: Any) -> list[Any]:
    """The heads to compare it with."""
    from turnlog.audit.anchoring import head_in
    from turnlog.errors import InvalidKey
    from turnlog.proof.keys import verifiers_in
    from turnlog.proof.timestamp import certificates_in

    keys = [key for file in verifiers for key in verifiers_in(file)]
    if heads and not keys:
        raise InvalidKey("heads are checked with the public keys they are signed with: --verifier")
    believed = [each for file in authorities for each in certificates_in(file)]
    return [head_in(file, output.read(file), keys, believed) for file in heads]


@contextmanager
def _opened() -> Iterator[tuple[Any, bool]]:
    """What the log is kept in, and whether it is sealed and comes without its keys."""
    from turnlog.keys.opening import named_store

    with closing(open_sealed(readonly=True)) as store:
        if settings().keys is None and named_store(store) is not None:
            yield store, True
            return
    with open_log(readonly=True, shows=False) as log:
        yield log.store, False


def _without_keys(store: Any, ids: list[str] | None) -> Any:
    from turnlog.audit.digests import verify_digests
    from turnlog.errors import StorageError

    if ids:
        raise StorageError(f"{store.url}: a conversation of a sealed log is found with --keys")
    output.note("the log is sealed, and without --keys nothing is opened: digests are checked")
    return verify_digests(store)


def _anchored(store: Any, kept: list[Any], verification: Any) -> Any:
    from turnlog.audit.anchoring import check

    return check(store, kept, verification.report) if kept else None


def _print(verification: Any, anchored: Any) -> None:
    if verification.faults:
        print_faults(verification.faults)
    done = (verification.conversations, "conversation"), (verification.events, "event")
    counted = ", ".join(amount(*each) for each in done)
    counted += apart(verification.attachments or 0, verification.attached_bytes or 0)
    faults = len(verification.faults)
    found = amount(faults, "fault") if faults else "no faults"
    output.say(f"{counted}: {found}; {_to_where(anchored)}")


def _to_where(anchored: Any) -> str:
    if anchored is None or anchored.position < 0:
        return "not anchored"
    behind = f", {amount(anchored.after, 'row')} behind it" if anchored.after else ""
    return f"anchored up to position {anchored.position}{behind}"


def print_faults(faults: Any) -> None:
    """A row for each."""
    columns = ("conversation", "event", "what")
    output.table(columns, ((fault.conversation, fault.event, fault.what) for fault in faults))

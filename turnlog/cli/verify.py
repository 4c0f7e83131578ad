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
    typer.Option("--head", metavar="NOTE", help="A signed head, kept elsewhere."),
]
Verifiers = Annotated[
    list[Path] | None,
    typer.Option("--verifier", metavar="F.pub", help="A public key that checks heads."),
]


Authorities = Annotated[
    list[Path] | None,
    typer.Option("--tsa", metavar="CERT.pem", help="A trusted timestamp authority."),
]


def verify(
    ids: Ids = None,
    jobs: Jobs = 1,
    head: Heads = None,
    verifier: Verifiers = None,
    tsa: Authorities = None,
) -> None:
    """Check that nothing recorded was changed.

    It also checks that heads, snapshots and read models follow from the events.

    With IDs: only the events, heads and snapshots of these conversations. With heads: also that the
    log continues from what was signed, which reveals rewritten, truncated or restored rows. A
    sealed log without --keys: only its digests, which need no key.

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
    """The faults, and how far the log continues from the heads, if there are any."""
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
    except Corrupt as error:  # the log's beginning; without it no log opens
        return Verification(faults=[Fault(None, None, str(error))], ok=False), None


def _report(verification: Any, anchored: Any) -> None:
    from msgspec.structs import asdict

    counted = {name: held for name, held in asdict(verification).items() if held is not None}
    found = counted | ({} if anchored is None else {"anchored": asdict(anchored)})
    output.document(found, human=lambda: _print(verification, anchored))
    if settings().json and anchored is None:
        output.note("not anchored: pass --head to compare with a signed head")


def _kept(heads: Any, verifiers: Any, authorities: Any) -> list[Any]:
    """The heads to compare the log with."""
    from turnlog.audit.anchoring import head_in
    from turnlog.errors import InvalidKey
    from turnlog.proof.keys import verifiers_in
    from turnlog.proof.timestamp import certificates_in

    keys = [key for file in verifiers for key in verifiers_in(file)]
    if heads and not keys:
        raise InvalidKey("heads need the public keys that check them: --verifier F.pub")
    believed = [each for file in authorities for each in certificates_in(file)]
    return [head_in(file, output.read(file), keys, believed) for file in heads]


@contextmanager
def _opened() -> Iterator[tuple[Any, bool]]:
    """The store, and whether it is sealed and opened without its keys."""
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
        raise StorageError(
            f"{store.url}: conversations of a sealed log can only be found with --keys"
        )
    output.note("the log is sealed; without --keys only digests are checked")
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
    behind = f", {amount(anchored.after, 'row')} after it" if anchored.after else ""
    return f"anchored up to position {anchored.position}{behind}"


def print_faults(faults: Any) -> None:
    """A row for each."""
    columns = ("conversation", "event", "what")
    output.table(columns, ((fault.conversation, fault.event, fault.what) for fault in faults))

"""What the AI Act and the GDPR ask of a log of conversations, checked on this one.

Each line says what an article asks for and whether the log shows it. This is not legal advice:
people must judge which articles apply, and whether something outside the log meets them. The texts
are those of November 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from turnlog.audit.evidence import Evidence, evidence
from turnlog.audit.verify import Verification, verify
from turnlog.domain.amounts import amount
from turnlog.domain.retention import RetentionRule
from turnlog.domain.times import when
from turnlog.engine.erasure.retention import rules_in_force
from turnlog.engine.erasure.unfinished import unfinished

SATISFIED, NOT, UNDECIDABLE = "satisfied", "not satisfied", "not decidable from the log"


class ArticleFinding(NamedTuple):
    """One article's result.

    verdict: satisfied, not satisfied, or not decidable from the log. evidence: why.
    """

    article: str
    asks: str
    verdict: str
    evidence: str

    def as_dict(self) -> dict[str, Any]:
        """The line that `turnlog comply --json` prints."""
        return self._asdict()


class _Looked(NamedTuple):
    """The input of all checks."""

    seen: Evidence
    verified: Verification
    rules: tuple[RetentionRule, ...]
    erasing: bool


_Check = Callable[[_Looked], tuple[str, str]]


def findings(log: Any) -> Iterator[ArticleFinding]:
    """One finding for each article, in order. Reads and verifies the whole log first."""
    rules, erasing = rules_in_force(log).rules, unfinished(log.store.reader).open is not None
    looked = _Looked(evidence(log), verify(log.store), rules, erasing)
    for article, asks, check in CHECKS:
        yield ArticleFinding(article, asks, *check(looked))


# --- AI Act -------------------------------------------------------------------------------------


def _recorded(looked: _Looked) -> tuple[str, str]:
    seen, verified = looked.seen, looked.verified
    if seen.first is None or seen.last is None:
        return UNDECIDABLE, "nothing is recorded yet"
    lost = seen.counts["TailLost"]
    span = f"{amount(verified.events, 'event')} from {when(seen.first)} to {when(seen.last)}"
    if lost or not verified.ok:
        faults = amount(len(verified.faults), "fault")
        return NOT, f"{span}; {faults}, ends lost: {lost} (turnlog verify)"
    return SATISFIED, f"{span}, without a gap or a fault"


def _versions(looked: _Looked) -> tuple[str, str]:
    seen = looked.seen
    if not seen.answers:
        return UNDECIDABLE, "no bot has answered yet"
    points = "; ".join(
        f"{when(c.time)} {c.conversation!r} event {c.event}: {_named(c.versions)}"
        for c in seen.changes[:SHOWN]
    )
    more = f" (the first {SHOWN})" if len(seen.changes) > SHOWN else ""
    count = amount(len(seen.changes), "change")
    changes = f"{count} of version{more}{': ' if points else ''}{points}"
    if seen.unversioned:
        return NOT, f"{seen.unversioned:,} of {amount(seen.answers, 'answer')} name none; {changes}"
    return SATISFIED, f"all of {amount(seen.answers, 'answer')} name one; {changes}"


SHOWN = 10
"""The most points of change, or conversations, that a line names."""


def _named(versions: Any) -> str:
    said = {"code": versions.code, "model": versions.model, "prompt": versions.prompt}
    return ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)


def _monitored(looked: _Looked) -> tuple[str, str]:
    outcomes = looked.seen.counts["OutcomeRecorded"]
    if not looked.seen.conversations:
        return UNDECIDABLE, "no conversation yet"
    if not outcomes:
        return NOT, "no outcome of a conversation is recorded"
    return SATISFIED, f"{amount(outcomes, 'outcome')} recorded (turnlog audit --period)"


def _counted(kind: str, noun: str, said: str, none: str) -> _Check:
    """Satisfied if events of a type are recorded."""

    def check(looked: _Looked) -> tuple[str, str]:
        found = looked.seen.counts[kind]
        return (SATISFIED, f"{amount(found, noun)} {said}") if found else (UNDECIDABLE, none)

    return check


def _outside(why: str) -> _Check:
    return lambda looked: (UNDECIDABLE, why)


def _always(why: str) -> _Check:
    return lambda looked: (SATISFIED, why)


def _oversight(looked: _Looked) -> tuple[str, str]:
    seen = looked.seen
    if not seen.oversight:
        return UNDECIDABLE, "no one has stepped in, approved or taken over yet"
    acts = f"{amount(seen.oversight, 'act')} of oversight"
    if seen.unnamed:
        return NOT, f"{acts}, {seen.unnamed:,} of them without a person's name as actor"
    return SATISFIED, f"{acts}, each by a named person"


SIX_MONTHS = 183 * 86_400.0


def _kept(looked: _Looked) -> tuple[str, str]:
    if not looked.rules:
        return UNDECIDABLE, "no rules of keeping are set (turnlog retain)"
    short = [rule.name for rule in looked.rules if (rule.floor or 0.0) < SIX_MONTHS]
    if short:
        return NOT, f"rules without a floor of 183 days: {', '.join(map(repr, short))}"
    return SATISFIED, f"{amount(len(looked.rules), 'rule')}, each with a floor of 183 days or more"


def _disclosed(looked: _Looked) -> tuple[str, str]:
    without, all = looked.seen.undisclosed, looked.seen.conversations
    if not all:
        return UNDECIDABLE, "no conversation yet"
    count = f"conversations without: {len(without):,} of {all:,}"
    if without:
        named = ", ".join(map(repr, without[:SHOWN]))
        return NOT, f"{count} ({named}{', …' if len(without) > SHOWN else ''})"
    return SATISFIED, count


# --- GDPR ---------------------------------------------------------------------------------------


def _erased(looked: _Looked) -> tuple[str, str]:
    erasures = looked.seen.counts["ErasureRecorded"]
    if looked.erasing:
        return NOT, "an erasure is recorded and not finished (turnlog verify)"
    if not erasures:
        return UNDECIDABLE, "nothing was erased yet"
    return SATISFIED, f"{amount(erasures, 'erasure')} recorded and finished"


def _restricted(looked: _Looked) -> tuple[str, str]:
    now, lifted = looked.seen.restricted, looked.seen.counts["RestrictionLifted"]
    if not now and not lifted:
        return UNDECIDABLE, "nothing was restricted yet"
    return SATISFIED, f"{amount(now, 'conversation')} restricted now; lifted: {lifted:,}"


def _recipients(looked: _Looked) -> tuple[str, str]:
    seen = looked.seen
    exports = sum(seen.recipients.values())
    if not exports:
        return UNDECIDABLE, "no export is recorded; files made with --unrecorded are not known"
    named = ", ".join(sorted(seen.recipients)[:SHOWN])
    return SATISFIED, f"{amount(exports, 'conversation')} went to: {named}"


CHECKS: tuple[tuple[str, str, _Check], ...] = (
    ("AI Act 12(1)", "events are recorded automatically, over the lifetime", _recorded),
    ("AI Act 12(2)(a)", "versions, and the points where they changed", _versions),
    ("AI Act 12(2)(b), 72", "monitoring after the system is in use", _monitored),
    (
        "AI Act 12(2)(c), 26(5)", "incidents are reported",
        _counted(
            "IncidentReported", "incident", "reported",
            "no incident is reported; the log cannot know whether there was one",
        ),
    ),
    (
        "AI Act 12(3)", "remote biometric identification: use, reference, match, verifier",
        _outside("whether the bot identifies people is not in the log"),
    ),
    ("AI Act 14, 26(2)", "oversight by named persons", _oversight),
    (
        "AI Act 18, Annex IV", "documentation is kept for ten years",
        _outside("the catalogue of events is docs/events.md; where it is kept is not in the log"),
    ),
    ("AI Act 19(1), 26(6)", "logs are kept for six months at least", _kept),
    ("AI Act 50(1)", "people learn at the first interaction that it is an AI", _disclosed),
    (
        "AI Act 86", "an individual decision can be explained",
        _always("turnlog why, turnlog audit and turnlog subject --letter explain from the record"),
    ),
    (
        "GDPR 5(2), 30", "a register of processing",
        _always("turnlog comply --register makes it from the log"),
    ),
    (
        "GDPR 12(3), 15", "access and a copy within a month",
        _outside("turnlog subject makes the copy; when it was asked for is not in the log"),
    ),
    (
        "GDPR 16", "rectification",
        _counted(
            "MessageEdited", "correction", "recorded, each with the original",
            "no correction is recorded",
        ),
    ),
    ("GDPR 17", "erasure without undue delay", _erased),
    ("GDPR 18", "restriction", _restricted),
    ("GDPR 19", "recipients are known", _recipients),
    ("GDPR 20", "a structured, common, machine-readable copy", _always("turnlog subject: JSON")),
    (
        "GDPR 22(3)", "a person can step in",
        _counted(
            "HandoverStarted", "hand-over", "recorded",
            "no conversation was handed over to a person yet",
        ),
    ),
)  # fmt: skip
"""Article, what it asks for, and the check of this log."""

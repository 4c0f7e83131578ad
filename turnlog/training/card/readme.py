"""README.md: the card that Hugging Face shows, with its metadata as YAML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from turnlog.domain.amounts import amount
from turnlog.domain.plain import dumps
from turnlog.training.card.counts import Counts, quantile
from turnlog.training.card.facts import Facts
from turnlog.training.plan import ExportPlan
from turnlog.training.records.manifest import Totals

_SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
_SHORT = ("1K", "10K", "100K", "1M", "10M")
SHOWN = 20
"""The most classes and languages that a table names."""


def readme(
    facts: Facts,
    plan: ExportPlan,
    totals: Totals,
    counts: Mapping[str, Counts],
    *,
    unit: str,
    picture: str,
) -> str:
    """unit: what lengths are counted in; picture: the file that shows them. The same for the same
    examples: nothing in it depends on the clock.
    """
    sections = [
        _metadata(facts, totals, counts),
        f"# {facts.name}\n\n" + (facts.description or "Conversations from a turnlog."),
        _parts(totals, counts, unit),
        f"![Lengths of the conversations]({picture})",
        *(_classes(what, counts) for what in _kinds(counts)),
        _languages(counts),
        _about(plan, totals),
        f"## Citation\n\n{facts.citation}" if facts.citation else "",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _metadata(facts: Facts, totals: Totals, counts: Mapping[str, Counts]) -> str:
    """Each member as JSON, which is YAML too."""
    languages = sorted({tag.partition("-")[0].lower() for tag in _spoken(counts)})
    files = dict(zip(counts, totals.files, strict=True))
    described: dict[str, Any] = {
        "pretty_name": facts.name,
        "license": facts.license,
        "language": languages or None,
        "size_categories": [_size(sum(part.examples for part in counts.values()))],
        "task_categories": ["text-generation"],
        "tags": ["conversational", "croissant", "turnlog"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": part.replace("-", "_"), "path": name} for part, name in files.items()
                ],
            }
        ],
    }
    lines = [f"{k}: {dumps(held).decode()}" for k, held in described.items() if held is not None]
    return "\n".join(["---", *lines, "---"])


def _size(examples: int) -> str:
    below = next((at for at, size in enumerate(_SIZES) if examples < size), None)
    if below is None:
        return f"n>{_SHORT[-1]}"
    return f"n<{_SHORT[0]}" if below == 0 else f"{_SHORT[below - 1]}<n<{_SHORT[below]}"


def _spoken(counts: Mapping[str, Counts]) -> Counter[str]:
    found = Counter[str]()
    for part in counts.values():
        found.update({tag.replace("_", "-"): count for tag, count in part.languages.items()})
    return found


# --- tables -------------------------------------------------------------------------------------


def _table(titles: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    written = [[*map(_cell, row)] for row in rows]
    head = [*titles]
    return "\n".join(
        f"| {' | '.join(row)} |" for row in (head, ["---", *["---:"] * (len(head) - 1)], *written)
    )


def _cell(held: Any) -> str:
    if isinstance(held, int):
        return f"{held:,}"
    return str(held).replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def _parts(totals: Totals, counts: Mapping[str, Counts], unit: str) -> str:
    of_turns, of_lengths = ("turns: median", "most"), (f"{unit}: in all", "median", "95 %", "most")
    titles = ("part", "file", "examples", "conversations", *of_turns, *of_lengths)
    rows = [
        (
            part,
            file,
            held.examples,
            held.conversations,
            quantile(held.turns, 0.5),
            max(held.turns, default=0),
            sum(length * count for length, count in held.lengths.items()),
            *(quantile(held.lengths, share) for share in (0.5, 0.95)),
            max(held.lengths, default=0),
        )
        for (part, held), file in zip(counts.items(), totals.files, strict=True)
    ]
    return f"## Parts\n\nTurns and {unit} are those of a conversation.\n\n{_table(titles, rows)}"


def _kinds(counts: Mapping[str, Counts]) -> list[str]:
    return list(dict.fromkeys(what for held in counts.values() for what in held.classes))


def _classes(what: str, counts: Mapping[str, Counts]) -> str:
    by_part = [held.classes.get(what, Counter()) for held in counts.values()]
    every = sum(by_part, Counter[str]())
    ranked = sorted(every.items(), key=lambda one: (-one[1], one[0]))
    rows: list[list[Any]] = [
        [name, count, f"{count / every.total():.1%}", *(part[name] for part in by_part)]
        for name, count in ranked[:SHOWN]
    ]
    more = f"\n\nAnd {len(ranked) - SHOWN:,} more." if len(ranked) > SHOWN else ""
    title = f"{what[0].upper()}{what[1:]}s"
    return f"## {title}\n\n{_table((what, 'all', 'share', *counts), rows)}{more}"


def _languages(counts: Mapping[str, Counts]) -> str:
    ranked = sorted(_spoken(counts).items(), key=lambda one: (-one[1], one[0]))
    if not ranked:
        return ""
    table = _table(("language", "conversations"), ranked[:SHOWN])
    return f"## Languages\n\nConversations with a recorded language.\n\n{table}"


# --- how it was made ----------------------------------------------------------------------------


def _about(plan: ExportPlan, totals: Totals) -> str:
    lines = [
        f"Format `{plan.format}`, made from position {plan.position:,} of a log; `manifest.json`"
        " names the conversation and events behind each example.",
        _names(plan),
        *(f"{amount(n, 'event')} left out: {what}." for what, n in totals.left_out.items()),
        *(f"The format cannot hold {n:,} × {what}." for what, n in totals.lost.items()),
        *(f"{n:,} × {what}." for what, n in totals.noted.items()),
    ]
    if totals.together:
        lines.append(f"{amount(totals.together, 'near-duplicate')} in the part of an earlier one.")
    if (revoked := totals.revoked) is not None:
        lines.append(
            f"Made again from the manifest of SHA-256 `{revoked.manifest}`, without"
            f" {amount(revoked.examples, 'example')} of a person who asked for it; {revoked.gone:,}"
            " more are no longer in the log."
        )
    return "## How it was made\n\n" + "\n".join(f"- {line}" for line in lines if line)


def _names(plan: ExportPlan) -> str:
    if plan.redact:
        return "People and personal values have pseudonyms."
    return "Conversations have pseudonyms." if plan.pseudonyms else "Conversations have their ids."

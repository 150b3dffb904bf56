"""What a campaign found: one document for programs, a few lines for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from node.errors import CHECK_FAILED, FINE, UNCONFIRMED
from scenarios.repeating.campaign import Campaign
from scenarios.repeating.once import Broken, Outcome

SCHEMA = "privity.campaign/1"
_EXIT_CODES = {"pass": FINE, "fail": CHECK_FAILED, "unconfirmed": UNCONFIRMED}
FEW = 3  # Failures that are shown whatever broke in them.
_QUANTILES = {"min": 0.0, "median": 0.5, "p90": 0.9, "max": 1.0}


def exit_code(document: dict[str, Any]) -> int:
    """That of the gravest verdict."""
    return _EXIT_CODES[document["verdict"]]


def document_of(campaign: Campaign, command: Callable[[int], str], *, resumed: int) -> dict[str, Any]:
    """The document of `run --seeds --json`. `command` gives what repeats the run of a seed."""
    plan = campaign.plan
    outcomes = [campaign.outcomes[seed] for seed in sorted(campaign.outcomes)]
    counts = {word: sum(each.verdict == word for each in outcomes) for word in _EXIT_CODES}
    verdict = "fail" if counts["fail"] else "unconfirmed" if counts["unconfirmed"] else "pass"
    failures = [each for each in outcomes if each.verdict != "pass"]
    return {
        "schema": SCHEMA,
        "verdict": verdict,
        "scenario": plan.name,
        "file": plan.file,
        "seeds": [plan.seeds[0], plan.seeds[-1]],
        "crypto": plan.crypto,
        "signatures": plan.signatures,
        "runs": len(outcomes),
        **counts,
        "resumed": resumed,
        "broken": _counted(failures),
        "blocks": _quantiles([each.blocks for each in outcomes]),
        "view_changes": _quantiles([each.view_changes for each in outcomes]),
        "seconds": round(sum(each.seconds for each in outcomes), 3),
        "failures": [
            {
                "seed": each.seed,
                "verdict": each.verdict,
                "broken": [_named(broken, plan.file) for broken in each.broken],
                "again": command(each.seed),
                "kept": each.run_dir if each.run_dir and Path(each.run_dir).exists() else None,
            }
            for each in failures
        ],
        "dir": str(campaign.path),
    }


def _counted(failures: Iterable[Outcome]) -> list[dict[str, Any]]:
    """How many runs broke each thing, the most frequent first, with the first seed that did and how."""
    found: dict[tuple[str, int, bool], dict[str, Any]] = {}
    for outcome in failures:
        # Several incidents of one run count once.
        for broken in {(each.what, each.line, each.unsure): each for each in outcome.broken}.values():
            entry = found.setdefault(
                (broken.what, broken.line, broken.unsure),
                {
                    "what": broken.what,
                    "line": broken.line or None,
                    "result": "unconfirmed" if broken.unsure else "broken",
                    "runs": 0,
                    "first_seed": outcome.seed,
                    "first_detail": broken.detail,
                },
            )
            entry["runs"] += 1
    return sorted(found.values(), key=lambda entry: (entry["result"], -entry["runs"], entry["first_seed"]))


def _quantiles(values: Sequence[int]) -> dict[str, int]:
    """By nearest rank, so that each is a value that occurred."""
    ordered = sorted(values)
    return {
        name: ordered[max(0, ceil(share * len(ordered)) - 1)] for name, share in _QUANTILES.items() if ordered
    }


def _named(broken: Broken, file: str) -> str:
    place = f"{file}:{broken.line} " if broken.line else ""
    return f"{place}{broken.what}"


def line_of(outcome: Outcome, file: str) -> str:
    """One run as it ends: seed, verdict, and what broke first or how far it came."""
    head = f"seed {outcome.seed:<8} {outcome.verdict:<12}"
    if outcome.verdict == "pass" or not outcome.broken:
        return f"{head} {outcome.blocks} blocks · {outcome.view_changes} view changes"
    first, *more = outcome.broken
    rest = f" (and {len(more)} more)" if more else ""
    return f"{head} {_named(first, file)}  {first.detail}{rest}"


def in_words(document: dict[str, Any]) -> list[str]:
    """The end of a campaign for people."""
    counts = [f"{word.upper()} {document[word]}" for word in _EXIT_CODES if document[word]]
    first, last = document["seeds"]
    lines = [f"{' · '.join(counts)} of {document['runs']} runs       seeds {first}..{last}"]
    for entry in document["broken"]:
        mark = "✗" if entry["result"] == "broken" else "?"
        place = f"{document['file']}:{entry['line']}  " if entry["line"] else ""
        lines.append(f"{mark} {place}{entry['what']}  in {entry['runs']} of {document['runs']} runs")
        lines.append(f"    first seed {entry['first_seed']}: {entry['first_detail']}")
    for name in ("blocks", "view_changes"):
        values = " · ".join(f"{word} {value}" for word, value in document[name].items())
        lines.append(f"  {name.replace('_', ' '):<13} {values}")
    shown = _worth_showing(document)
    for failure in shown:
        lines.append(f"    again {failure['again']}")
        if failure["kept"]:
            lines.append(f"    kept  {failure['kept']}")
    if rest := len(document["failures"]) - len(shown):
        lines.append(f"    and {rest} more alike; --json lists all, the newest are kept in {document['dir']}")
    if kept := [failure["kept"] for failure in document["failures"] if failure["kept"]]:
        lines.append(f"    next  privity shrink {kept[0]}")
    return lines


def _worth_showing(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The first failure of each kind, and the first few of all: a long list of one hides the others."""
    firsts = {entry["first_seed"] for entry in document["broken"]}
    return [
        failure
        for place, failure in enumerate(document["failures"])
        if place < FEW or failure["seed"] in firsts
    ]

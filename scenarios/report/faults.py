"""What was broken on purpose, when, and what was committed meanwhile."""

from __future__ import annotations

from scenarios.faults.record import FaultRecord
from scenarios.report.elements import Cell, Html, Row, paragraphs, table
from scenarios.report.material import Material

_HEADS = ["fault", "kind", "line", "nodes", "began", "ended", "touched", "committed meanwhile", "result"]


def timeline(material: Material) -> Html:
    """A row for each fault, in the order in which they were spoken of."""
    if not material.faults:
        return paragraphs("Nothing was broken on purpose.")
    return table(
        "Faults, and the blocks committed while they lasted",
        _HEADS,
        [_row(material, each) for each in material.faults],
    )


def _row(material: Material, fault: FaultRecord) -> Row:
    failures = {each["id"]: each["failure"] for each in (material.verdict or {}).get("faults", [])}
    failure = failures.get(fault.id, "")
    if failure:
        result = Cell("✗", failure, "broken")
    elif fault.note:
        result = Cell("!", f"not carried out as a whole: {fault.note}", "unconfirmed")
    else:
        result = (
            Cell("✓", "it happened", "holds")
            if not fault.vacuous
            else Cell("!", "touched nothing", "unconfirmed")
        )
    return Row(
        fault.id,
        [
            fault.kind,
            f"{material.file}:{fault.line}" if fault.line else "asked for while it ran",
            ", ".join(fault.nodes) or "–",
            "never" if fault.began_ms is None else f"{fault.began_ms / 1000:.3f}s",
            _ended(fault),
            fault.touched,
            _meanwhile(material, fault),
            result,
        ],
    )


def _ended(fault: FaultRecord) -> str:
    if fault.ended_ms is not None:
        return f"{fault.ended_ms / 1000:.3f}s"
    return "–" if fault.began_ms is None else "lasted to the end"


def _meanwhile(material: Material, fault: FaultRecord) -> str:
    if fault.began_ms is None:
        return "–"
    until_ms = (
        fault.ended_ms if fault.ended_ms is not None else max(material.course.committed.values(), default=0)
    )
    heights = [height for _, height in material.course.commits(fault.began_ms, until_ms)]
    if not heights:
        return "no block"
    return f"{len(heights)} blocks ({min(heights)} to {max(heights)})"

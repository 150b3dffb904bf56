"""What `privity check` says of a file: for people, and as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from node.cells import cell_text
from node.envelopes.rule import FREE
from node.text import plain
from node.verbs.show_transaction import RULE_WORDS
from scenarios.model.lints import lints
from scenarios.model.objects import foreseen_lines
from scenarios.model.plan import PlannedSend, plan
from scenarios.model.prediction import Cell, Row, columns, predicted
from scenarios.model.problems import Problem, ScenarioInvalid
from scenarios.model.scenario import (
    END,
    Aggregate,
    Ask,
    AtHeight,
    Challenging,
    Disclose,
    Erase,
    Fault,
    Load,
    Opening,
    OwnersWord,
    Scenario,
)
from scenarios.model.seal_timing import comes_late
from scenarios.model.seals import Until
from scenarios.model.starts import order_of, start_text
from scenarios.model.units import format_blocks, format_duration
from scenarios.model.warnings import Warning

SCHEMA = "privity.check/1"


def render_check(scenario: Scenario, ascii: bool = False) -> str:
    """Size of the consortium, predicted matrix, faults and warnings. Shows no value of any payload."""
    sends = plan(scenario)
    lines = [
        _headline(scenario),
        *_profile(scenario),
        *_before_opening(scenario, sends, ascii),
        *_matrix(scenario, sends, ascii),
        *_aggregates(scenario),
        *_openings(scenario),
        *_disclosures(scenario),
        *_faults(scenario),
    ]
    lines += _warnings(lints(scenario, sends))
    return "\n".join(plain(line.rstrip(), ascii_only=ascii) for line in lines)


def check_document(checked: Scenario | ScenarioInvalid) -> dict[str, Any]:
    """The same as a document of schema `privity.check/1`; of a refused file, its errors."""
    if isinstance(checked, ScenarioInvalid):
        errors = [_error(problem) for problem in checked.problems]
        return {"schema": SCHEMA, "file": checked.file, "valid": False, "errors": errors, "warnings": []}
    sends = plan(checked)
    return {
        "schema": SCHEMA,
        "file": checked.file,
        "valid": True,
        "name": checked.name,
        "seed": checked.seed,
        "profile": checked.document.profile,
        "parties": list(checked.names),
        "voters": list(checked.voters),
        "faulty_voters": checked.faulty_voters,
        "quorum": checked.quorum,
        "transactions": len(sends),
        "matrix": _matrix_document(checked, sends),
        "faults": [
            {"id": fault.id, "at": _start(fault), "kind": fault.kind, "what": fault.describe()}
            for fault in checked.faults
        ],
        "errors": [],
        "warnings": [
            {"code": warning.code, "message": warning.message, "line": warning.line}
            for warning in lints(checked, sends)
        ],
    }


def _headline(scenario: Scenario) -> str:
    faulty = scenario.faulty_voters
    tolerates = f"tolerates {faulty or 'no'} faulty voter{'s' if faulty > 1 else ''}"
    parties = _counted(len(scenario.parties), "party", "parties")
    voters = _counted(len(scenario.voters), "voter", "voters")
    return f"✓ {scenario.file}   {parties} · {voters} · {tolerates} · quorum {scenario.quorum}"


def _profile(scenario: Scenario) -> list[str]:
    """What the profile of the file comes to, with what the file itself says instead."""
    name, privacy = scenario.document.profile, scenario.document.privacy
    if name is None:
        return []
    words = [f"payload {privacy.payload}", f"redisclose {privacy.redisclose}"]
    words += [f"copies {privacy.copies}"] if privacy.payload == "off_chain" else []
    words += [f"always to {', '.join(scenario.always_to)}"] if scenario.always_to else []
    words += [f"kept {format_blocks(privacy.keep)}"] if privacy.keep else []
    return [f"profile {name}: {' · '.join(words)}"]


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _before_opening(scenario: Scenario, sends: Sequence[PlannedSend], ascii: bool) -> list[str]:
    """The matrix of what lies under each seal before it may be opened."""
    lines: list[str] = []
    for seal in scenario.seals:
        under = [send for send in sends if send.seal == seal.name]
        under = [send for send in under if not comes_late(scenario, seal, send, send.id)]
        if under:
            matrix = _matrix(scenario, under, ascii, seal.opens_at_ms)
            lines += [f"predicted, before {seal.opens}", *matrix[1:]]
    return lines


def _matrix(scenario: Scenario, sends: Sequence[PlannedSend], ascii: bool, until: Until = END) -> list[str]:
    """A line for each sent transaction and one for each load, under a line with the columns."""
    if not sends:
        return ["no transactions"]
    by_id = {row.tx: row for row in predicted(scenario, sends, until)}
    table: list[tuple[str, list[str]]] = []
    for step in sorted([*scenario.workload, *scenario.aggregates], key=order_of):
        rows = [by_id[tx] for tx in step.transactions if tx in by_id]
        if not rows:
            continue
        label = f"{step.id} ({len(rows)})" if isinstance(step, Load) else step.id
        if isinstance(step, Aggregate):  # The total, and what each contributor keeps for itself.
            if (total := by_id.get(step.id)) is not None:  # None that nobody announces.
                table.append(
                    (step.id, [total.cells[column].text(ascii_only=ascii) for column in total.cells])
                )
            label = f"{step.id}-* ({len(rows)})"
        table.append((label, [_cell_of(rows, column, ascii) for column in columns(scenario)]))
    first = max(len("tx"), *(len(label) for label, _ in table)) + 3
    widths = [
        max(len(column), *(len(cells[index]) for _, cells in table))
        for index, column in enumerate(columns(scenario))
    ]
    head = f"{'tx':<{first}}{'   '.join(f'{c:<{w}}' for c, w in zip(columns(scenario), widths, strict=True))}"
    lines = ["predicted" if until == END else f"predicted, before {format_duration(until)}", head]
    lines.append("─" * len(head))
    for label, cells in table:
        middle = "   ".join(f"{cell:^{width}}" for cell, width in zip(cells, widths, strict=True))
        lines.append(f"{label:<{first}}{middle}")
    if until != END:
        return lines
    if any(isinstance(step, Load) for step in scenario.workload) or scenario.aggregates:
        lines.append("a number says how many of several transactions the party reads")
    waiting = [
        step
        for step in (*scenario.workload, *scenario.replays, *scenario.aggregates)
        if step.trigger is not None
    ]
    lines += [f"{step.id} waits for {step.trigger}" for step in waiting]
    for step in scenario.workload:
        if step.keep:
            lines.append(f"{step.id} is erased {format_blocks(step.keep)} after its own: # everywhere")
    for step in scenario.workload:
        if step.redisclose != FREE:
            lines.append(f"{step.id}: {RULE_WORDS[step.redisclose]} (redisclose: {step.redisclose})")
    lines += foreseen_lines(sends)
    if scenario.state_check:
        lines.append(f"parties compare the objects they share every {format_blocks(scenario.state_check)}")
    return lines


def _cell_of(rows: Sequence[Row], column: str, ascii: bool) -> str:
    """The cell that all these rows have in a column, or how many of them are read there."""
    cells = {row.cells[column] for row in rows}
    if len(cells) == 1:
        (cell,) = cells
        return cell.text(ascii_only=ascii)
    reads = sum(row.cells[column].symbol == "●" for row in rows)
    return f"{cell_text('●', ascii_only=ascii)} {reads}"


def _faults(scenario: Scenario) -> list[str]:
    """A line for each fault, in the order of the file: when, its id, what."""
    table = [(_start(fault), fault.id, fault.describe()) for fault in scenario.faults]
    first = max((len(when) for when, _, _ in table), default=0)
    second = max((len(identifier) for _, identifier, _ in table), default=0)
    lines = [f"{when:>{first}}  {identifier:<{second}}  {what}" for when, identifier, what in table]
    return ["faults", *lines] if lines else []


def _aggregates(scenario: Scenario) -> list[str]:
    """A line for each total, and what its contributors must know of it."""
    found = [f"{start_text(step):>5}  {step.id:<12}  {step.describe()}" for step in scenario.aggregates]
    if not found:
        return []
    return [
        "totals",
        *found,
        "any value may be put in, also one out of range: that can be proved in a dispute, not prevented",
    ]


def _disclosures(scenario: Scenario) -> list[str]:
    """A line for each disclosure and request, in the order of time: when, its id, who and whom, why."""
    asked: list[Disclose | Ask] = [*scenario.disclosures, *scenario.asked]
    steps: list[Disclose | Ask | OwnersWord | Erase] = sorted(
        [*asked, *scenario.owners_words, *scenario.purges], key=order_of
    )
    table = [(start_text(step), step.id, step.describe()) for step in steps]
    first = max((len(when) for when, _, _ in table), default=0)
    second = max((len(identifier) for _, identifier, _ in table), default=0)
    lines = [f"{when:>{first}}  {identifier:<{second}}  {what}" for when, identifier, what in table]
    return ["disclosures, on the record", *lines] if lines else []


def _openings(scenario: Scenario) -> list[str]:
    """A line for each opening and challenge, in the order of time: when, its id, who."""
    both: list[Opening | Challenging] = [*scenario.openings, *scenario.challenges]
    table = [(start_text(step), step.id, step.describe()) for step in sorted(both, key=order_of)]
    first = max((len(when) for when, _, _ in table), default=0)
    second = max((len(identifier) for _, identifier, _ in table), default=0)
    lines = [f"{when:>{first}}  {identifier:<{second}}  {what}" for when, identifier, what in table]
    return ["openings, on the record", *lines] if lines else []


def _start(fault: Fault) -> str:
    if isinstance(fault.at, int):
        return format_duration(fault.at)
    return f"height {fault.at.height}" if isinstance(fault.at, AtHeight) else f"view {fault.at.view}"


def _warnings(warnings: Sequence[Warning]) -> list[str]:
    width = max((len(warning.message) for warning in warnings), default=0)
    return [f"! {warning.message:<{width}}  {warning.code}" for warning in warnings]


def _matrix_document(scenario: Scenario, sends: Sequence[PlannedSend]) -> dict[str, Any]:
    rows = [
        {
            "tx": row.tx,
            "field": "*",
            "cells": {
                column: {"symbol": cell.symbol, "reason": cell.reason} | _part(cell)
                for column, cell in row.cells.items()
            },
        }
        for row in predicted(scenario, sends)
    ]
    return {"at": "end", "columns": list(columns(scenario)), "rows": rows}


def _part(cell: Cell) -> dict[str, Any]:
    return {} if cell.part is None else {"part": {"read": cell.part[0], "of": cell.part[1]}}


def _error(problem: Problem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "message": problem.message,
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
    }

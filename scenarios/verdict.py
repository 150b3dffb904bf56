"""The verdict of a run: one document for programs, a few lines for people, JUnit for CI."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from node.errors import CHECK_FAILED, FINE, UNCONFIRMED
from node.private_files import replace_private
from scenarios.chains import committed_everywhere
from scenarios.judging import Evidence, Judgement, incidents, plan_differences, vacuous, waiting
from scenarios.named_liars import named_in_words
from scenarios.proved_liars import liar_in_words

SCHEMA = "privity.run/1"
ALL_STORES = frozenset(("logs", "broker", "ledgers"))
EXIT_CODES = {"pass": FINE, "fail": CHECK_FAILED, "unconfirmed": UNCONFIRMED}
MARKS = {"holds": "✓", "broken": "✗", "unconfirmed": "?"}


def verdict_of(
    evidence: Evidence,
    judgements: list[Judgement],
    *,
    views: dict[str, int],
    world: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """The document of `run --json`, schema privity.run/1. `world` is what only its world can say."""
    scenario = evidence.scenario
    hexes = [sent.tx.hex() for sent in evidence.sent.values()]
    committed = sum(evidence.executed_everywhere(sent) for sent in evidence.sent.values())
    somewhere = committed_everywhere(evidence.honest_chains, hexes)
    canaries = evidence.scan(ALL_STORES)
    differing = plan_differences(evidence)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "verdict": "pass",
        "scenario": scenario.name,
        "file": scenario.file,
        "seed": scenario.seed,
        "transport": scenario.transport,
        **world,
        "voters": len(scenario.voters),
        "nodes": {
            chain.node: {
                "height": chain.height,
                "head": chain.head.hash.hex() if chain.head is not None else "",
                "view": views.get(chain.node, 0),
                "state_root": chain.head.state_root.hex() if chain.head is not None else "",
            }
            for chain in evidence.chains
        },
        "transactions": {
            "planned": sum(len(step.transactions) for step in scenario.steps),
            "submitted": len(hexes),
            "committed": committed,
            "refused": len(hexes) - sum(count > 0 for count in somewhere.values()),
        },
        "blocks": max((chain.height for chain in evidence.honest_chains), default=0),
        "seconds": round(seconds, 3),
        "expectations": [
            {"check": j.check, "line": j.line, "result": j.result, "detail": j.detail} for j in judgements
        ],
        "faults": _faults(evidence),
        "plan": {"transactions": len(hexes), "differing": len(differing), "first": differing[:5]},
        "incidents": incidents(evidence),
        "canaries": {"searched": canaries.searched, "found": len(canaries.found)},
        "replayed": evidence.key_free.document,
        "liars": [liar.document(_named(evidence, liar.tx)) for liar in evidence.liars],
        "framed": [liar.document(_named(evidence, liar.tx)) for liar in evidence.framed],
        "named": [each.document() for each in evidence.named],
        "named_in_vain": [each.document() for each in evidence.named_in_vain],
        "run_dir": str(evidence.folder.path),
    }
    if scenario.state_check:
        document["state_checks"] = dict(sorted(evidence.course.state_checks.items()))
        document["divergences"] = [
            {
                "between": sorted((each.name, each.peer)),
                "tx": _called(evidence, each.tx),
                "height": each.height,
            }
            for each in evidence.divergences
        ]
    if waits := len(waiting(evidence)):  # For a fault that lasts to the end, and is expected to stop it.
        document["transactions"] |= {"refused": document["transactions"]["refused"] - waits, "waiting": waits}
    document["verdict"] = (
        "fail" if evidence.invariants else _word(document, judgements, bool(document["incidents"]))
    )
    return document


def _named(evidence: Evidence, tx: bytes) -> str:
    """What the file calls a transaction, or the beginning of its id."""
    return next((name for name, sent in evidence.sent.items() if sent.tx == tx), tx.hex()[:8])


def _faults(evidence: Evidence) -> list[dict[str, Any]]:
    """What became of each fault. `failure` says why one of the file fails the run, if it does."""
    failures = {record.id: why for record, why in vacuous(evidence)}
    lines = {fault.id: fault.line for fault in evidence.scenario.faults}
    return [
        {
            "id": record.id,
            "kind": record.kind,
            "line": lines.get(record.id),  # None for one that no file foresaw.
            "nodes": list(record.nodes),
            "began_ms": record.began_ms,
            "ended_ms": record.ended_ms,
            "touched": record.touched,
            "vacuous": record.vacuous,
            "note": record.note,
            "failure": failures.get(record.id, ""),
        }
        for record in evidence.faults
    ]


def _called(evidence: Evidence, digits: str) -> str:
    """What the steps call the transaction with these first digits, or the digits."""
    return next((name for name, sent in evidence.sent.items() if sent.tx.hex().startswith(digits)), digits)


def state_checks_in(document: dict[str, Any]) -> list[str]:
    """What came of the comparisons of private state, in words; nothing where none were made."""
    if "state_checks" not in document:
        return []
    lines = [
        f"✗ divergence: private state between {' and '.join(each['between'])}, first at tx {each['tx']}"
        f" (block {each['height']})"
        for each in document["divergences"]
    ]
    counts = document["state_checks"]
    said = ", ".join(f"{counts.get(word, 0)} {word}" for word in ("confirmed", "unconfirmed"))
    return lines or [f"✓ state checks: {said}, no divergence"]


def _word(document: dict[str, Any], judgements: list[Judgement], unsure: bool) -> str:
    results = {judgement.result for judgement in judgements}
    if "broken" in results or document["canaries"]["found"] or document["plan"]["differing"]:
        return "fail"
    if document.get("divergences"):
        return "fail"
    if any(fault["failure"] for fault in document["faults"]) or not document["replayed"]["equal"]:
        return "fail"
    if document["framed"] or document["named_in_vain"]:
        return "fail"
    return "unconfirmed" if unsure or "unconfirmed" in results else "pass"


def write_verdict(path: Path, document: dict[str, Any]) -> None:
    """Keep the verdict in the run folder."""
    replace_private(path, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())


def counted_in(document: dict[str, Any]) -> str:
    """`PASS 6 · FAIL 1 of 7`. What fails a run need not be an expectation; then it must not say PASS."""
    results = [expectation["result"] for expectation in document["expectations"]]
    holds, total, verdict = results.count("holds"), len(results), document["verdict"]
    if verdict != "pass" and holds == total:
        return f"{verdict.upper()} although {holds} of {total} hold" if total else verdict.upper()
    parts = [f"PASS {holds}"]
    for word, result in (("FAIL", "broken"), ("UNCONFIRMED", "unconfirmed")):
        parts += [f"{word} {results.count(result)}"] if result in results else []
    return f"{' · '.join(parts)} of {total}"


def facts_of(document: dict[str, Any]) -> str:
    """What run it was, in a few numbers."""
    transactions = document["transactions"]
    facts = [
        f"seed {document['seed']}",
        f"{document['voters']} voters",
        f"{document['blocks']} blocks",
        f"{transactions['committed']} of {transactions['submitted']} transactions",
        f"{document['seconds']:.0f} s",
    ]
    if "virtual_seconds" in document:
        facts.append(f"{document['virtual_seconds']:.0f} s virtual")
    return " · ".join(facts)


def in_words(
    document: dict[str, Any], judgements: list[Judgement], incidents: list[str], command: str
) -> list[str]:
    """The verdict as `privity run` prints it; `command` is what repeats the run."""
    canaries = document["canaries"]
    lines = [f"{counted_in(document)}       {facts_of(document)}"]
    for judgement in judgements:
        # What a program sent is in no line of the file.
        place = f"{document['file']}:{judgement.line}" if judgement.line else document["file"]
        lines.append(f"{MARKS[judgement.result]} {place}  {judgement.check}  {judgement.detail}")
        if judgement.more:
            lines.append(f"    see   {judgement.more}")
    lines += [_fault_line(document["file"], fault) for fault in document["faults"] if _remarkable(fault)]
    lines += [f"? run  {incident}" for incident in incidents]
    mark = "✗" if canaries["found"] else "✓"
    found = f"{canaries['found']} of {canaries['searched']} secrets found"
    lines.append(f"{mark} canary scan: {found} in logs, broker capture, ledgers")
    lines.append(f"{MARKS['holds' if document['replayed']['equal'] else 'broken']} {replayed_in(document)}")
    lines += state_checks_in(document)
    lines += [f"! {liar_in_words(liar)}" for liar in document["liars"] if liar not in document["framed"]]
    lines += [f"✗ {liar_in_words(liar)}, and no fault made it lie" for liar in document["framed"]]
    in_vain = document["named_in_vain"]
    lines += [f"! {named_in_words(each)}" for each in document["named"] if each not in in_vain]
    lines += [f"✗ {named_in_words(each)}, and no fault made it lie" for each in in_vain]
    if document.get("trace_hash"):
        checks, events = document["invariants_checked"], document["events"]
        lines.append(f"  trace {document['trace_hash']}  {checks:,} checks over {events:,} events")
    if stamp := document.get("stamp"):
        lines.append(f"  {stamp}")
    if document["verdict"] != "pass":
        lines.append(f"    again {command}")
    return lines


def replayed_in(document: dict[str, Any]) -> str:
    """What came of executing the chains anew, in one line."""
    replayed = document["replayed"]
    chains = f"{replayed['blocks']} blocks of {replayed['nodes']} nodes, executed anew without private keys"
    if replayed["equal"]:
        return f"key-free replay: {chains}: the same hashes"
    return f"key-free replay: {chains}: {'; '.join(replayed['differing'])}"


def _remarkable(fault: dict[str, Any]) -> bool:
    return bool(fault["failure"] or fault["note"])


def _fault_line(file: str, fault: dict[str, Any]) -> str:
    place = f"{file}:{fault['line']}" if fault["line"] is not None else "run"
    said = fault["failure"] or f"not carried out as a whole: {fault['note']}"
    return f"{'✗' if fault['failure'] else '!'} {place}  fault {fault['id']}  {said}"


def write_junit(
    path: Path, document: dict[str, Any], judgements: list[Judgement], incidents: list[str]
) -> None:
    """The verdict as JUnit XML: a test case for each expectation and fault, and four for the whole run."""
    differing, leaks = document["plan"]["first"], document["canaries"]["found"]
    cases = [(f"line {j.line}: {j.check}", j.result, j.detail) for j in judgements]
    cases += [
        (
            f"line {fault['line']}: fault {fault['id']}",
            "broken" if fault["failure"] else "holds",
            fault["failure"],
        )
        for fault in document["faults"]
        if fault["line"] is not None
    ]
    cases += [
        ("run", "unconfirmed" if incidents else "holds", "; ".join(incidents)),
        ("plan", "broken" if differing else "holds", "; ".join(differing)),
        ("canaries", "broken" if leaks else "holds", f"{leaks} found"),
        ("key-free replay", "holds" if document["replayed"]["equal"] else "broken", replayed_in(document)),
    ]
    if "divergences" in document:
        said = "; ".join(state_checks_in(document))
        cases.append(("state checks", "broken" if document["divergences"] else "holds", said))
    results = [result for _, result, _ in cases]
    suite = ElementTree.Element(
        "testsuite",
        name=document["scenario"],
        tests=str(len(cases)),
        failures=str(results.count("broken")),
        errors=str(results.count("unconfirmed")),
        time=f"{document['seconds']:.3f}",
    )
    for name, result, detail in cases:
        case = ElementTree.SubElement(suite, "testcase", classname=document["file"], name=name)
        if result != "holds":
            ElementTree.SubElement(case, "failure" if result == "broken" else "error", message=detail)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)

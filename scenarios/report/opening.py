"""The beginning of a report: what came of the run, how to repeat it, and what was expected."""

from __future__ import annotations

import shlex

from scenarios.named_liars import named_in_words
from scenarios.proved_liars import liar_in_words
from scenarios.report.elements import Cell, Html, Row, bullets, element, join, lines, paragraphs, table, text
from scenarios.report.material import Material
from scenarios.verdict import MARKS, counted_in, facts_of, replayed_in, state_checks_in

BADGES = {"pass": ("✓", "PASS"), "fail": ("✗", "FAIL"), "unconfirmed": ("?", "UNCONFIRMED")}
NOT_JUDGED = ("–", "NOT JUDGED")
WORDS = {"holds": "holds", "broken": "broken", "unconfirmed": "could not be confirmed"}
_STORES = "logs, broker capture, ledgers"


def verdict(material: Material) -> Html:
    """The badge and the sentence, and all that keeps the run from passing."""
    document = material.verdict
    sign, word = BADGES.get(document["verdict"], NOT_JUDGED) if document else NOT_JUDGED
    badge = element("p", f"{sign} {word}", class_=f"badge {word.split()[0].lower()}")
    if document is None:
        return join(
            [badge, paragraphs("This run was not judged, or is not over: what stands below is what it left.")]
        )
    canaries = document["canaries"]
    leaks = f"{canaries['found']} of {canaries['searched']} secrets were found in {_STORES}."
    reasons = [
        *document.get("incidents", ()),  # Older runs do not tell.
        *(f"fault {fault['id']}: {fault['failure']}" for fault in document["faults"] if fault["failure"]),
        *(f"plan: {difference}" for difference in document["plan"]["first"]),
    ]
    replay = f" K{replayed_in(document)[1:]}." if "replayed" in document else ""  # Older runs have none.
    reasons += state_checks_in(document)
    reasons += [f"{liar_in_words(liar)}." for liar in document.get("liars", ())]
    reasons += [f"{named_in_words(each)}." for each in document.get("named", ())]
    parts = [
        badge,
        paragraphs(f"{_sentence(material)} {leaks}{replay}", f"{counted_in(document)}: {facts_of(document)}"),
    ]
    return join([*parts, bullets(reasons)] if reasons else parts)


def _sentence(material: Material) -> str:
    assert material.verdict is not None
    expectations = material.verdict["expectations"]
    good = sum(each["result"] == "holds" for each in expectations)
    if not expectations:
        return "The scenario expects nothing by rule."
    return f"{good} of {len(expectations)} expectations hold."


def repeating(material: Material) -> Html:
    """The command, and what else a repetition depends on."""
    run, virtual = material.run, material.run.get("transport") == "memory"
    facts: list[tuple[str, str]] = [
        ("scenario", f"{run.get('name', '')} ({material.file})"),
        ("run", material.folder.number),
        ("seed", str(run.get("seed", ""))),
        (
            "transport",
            "memory: the virtual world, simulated time and network" if virtual else "mqtt: a real broker",
        ),
    ]
    broker = run.get("broker", {})
    facts += [("broker", str(broker["kind"]))] if not virtual and "kind" in broker else []
    facts += [(name, version) for name, version in run.get("versions", {}).items()]
    if material.verdict is not None and (trace := material.verdict.get("trace_hash")):
        facts.append(("trace hash", trace))
    repeats = (
        "The same seed and versions give the same bytes, and so the same trace hash."
        if virtual and _seeded(material)
        else "A repetition plays the same steps; timing, keys and salts are new each time."
    )
    rows = [Row(name, [value]) for name, value in facts]
    return join(
        [lines(command(material)), paragraphs(repeats), table("What it ran on", ["what", "value"], rows)]
    )


def _seeded(material: Material) -> bool:
    return bool(material.verdict and material.verdict.get("trace_hash"))


def command(material: Material) -> str:
    """The command that repeats the run, every option that matters written out. No address of a broker."""
    run, options = material.run, material.run.get("options", {})
    transport = str(run.get("transport", ""))
    parts = ["privity", "run", material.file, "--seed", str(run.get("seed", 0)), "--transport", transport]
    if transport == "memory":
        parts += ["--crypto", material.scenario.crypto] if material.scenario else []
        parts += ["--signatures", str(options.get("signatures", "cached"))]
    else:
        kind = run.get("broker", {}).get("kind")
        parts += ["--broker", "..." if kind == "url" else kind] if kind else []
        parts += ["--in-process"] if options.get("in_process") else []
    return shlex.join(parts)


def expectations(material: Material) -> Html:
    """Each rule with its line and what came of it."""
    found = material.verdict["expectations"] if material.verdict else []
    if not found:
        return paragraphs("None was judged.")
    rows = [
        Row(
            f"{material.file}:{each['line']}",
            [
                each["check"],
                Cell(MARKS[each["result"]], WORDS[each["result"]], kind=each["result"]),
                text(each["detail"]),
            ],
        )
        for each in found
    ]
    return table(
        "Expectations, by the line of the scenario file", ["line", "check", "result", "detail"], rows
    )

"""The scenario and the requirement sheet that come of seven answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from node.chain.round_deeds import MOST_CONTRIBUTORS
from node.logs.event_fields import is_name
from scenarios.asking.questions import HARMS, QUESTIONS, Judge
from scenarios.asking.requirements import Case
from scenarios.model.schema import FILE_NAME

_SENT, _ASKED, _SHOWN = "1s", "3s", "4s"
_BEFORE = "2s"
_SUMMED_S, _ROUND_S = 5, 10


def scenario_text(case: Case, name: str) -> str:
    """A scenario file: a message, a dispute if somebody settles it, and what can be tested of the rest."""
    return "\n".join(
        [
            f"# yaml-language-server: $schema=.privity/{FILE_NAME}",
            f"# From seven answers; {name}-requirements.md says what each line rests on, and what is open.",
            "# Put your own fields into data:, and your own faults and times beside them.",
            "privity: 1",
            f"name: {name if is_name(name) else json.dumps(name)}",
            f"about: {case.sender} tells {_list(case.readers)} something. Who else may know what?",
            "seed: 1",
            *_settings(case),
            "",
            "parties:",
            *_parties(case),
            "",
            "steps:",
            *_steps(case),
            *_totals(case),
            "",
            "expect:",
            "  - {check: agreement}",
            *_rules(case),
            "  - {check: no_plaintext}",
            "",
        ]
    )


def sheet_text(case: Case, name: str, answers: Mapping[str, str]) -> str:
    """The requirement sheet, one page of Markdown. `answers` are the words that were given, by question."""
    lines = [f"# Requirements: {name}", "", "## The seven questions", ""]
    for number, question in enumerate(QUESTIONS, 1):
        lines.append(f"{number}. {question.text} **{_cell(answers[question.key]) or question.default}**")
    lines += ["", "## What follows", "", "| requirement | in the scenario | by |", "| --- | --- | --- |"]
    for each in case.requirements():
        lines.append(f"| {each.text} | {each.status} | {each.by} |")
    lines += ["", "## Still unstated", ""]
    lines += [f"- {sentence}" for sentence in case.unstated()]
    lines += [
        "",
        f"`privity check {name}.yaml` predicts who will read what; `privity run {name}.yaml` tries it.",
        "The broker carries everything and reads nothing; it sees when each party talks, and how much.",
        "",
    ]
    return "\n".join(lines)


def _settings(case: Case) -> Iterable[str]:
    """The profile of organisations among themselves; where the fact of dealing matters, nobody fetches."""
    yield "profile: b2b                   # Readers alone hold it, and show it on with consent only."
    if case.harm != HARMS[0]:
        yield "privacy: {payload: on_chain}   # Off chain the broker could count who deals with whom."


def _parties(case: Case) -> Iterable[str]:
    for name in case.members:
        yield f"  {name}: {{role: member, votes: true}}"
    for name in case.witnesses:
        yield f"  {name}: {{role: member, votes: true, title: A neutral voter}}"
    for name in case.outsiders:
        role = "coordinator" if name in case.summers else "member"
        role = "regulator" if case.judge is not None and case.judge.name == name else role
        yield f"  {name}: {{role: {role}, votes: false}}"
    if case.judge is not None and case.judge_is_apart:
        yield f"  {case.judge.name}: {{role: regulator, votes: false}}"


def _steps(case: Case) -> Iterable[str]:
    fields = ("subject", *_named(case.judge))
    data = ", ".join(f"{field}: example" for field in dict.fromkeys(fields))
    to = ", ".join(case.readers)
    yield f"  - {{at: {_SENT}, do: send, id: message, as: {case.sender}, to: [{to}],"
    yield f"     data: {{{data}}}}}"
    if (judge := case.judge) is not None:
        yield (
            f"  - {{at: {_ASKED}, do: request, id: dispute, tx: message, as: {judge.name}, of: {case.sender},"
            " reason: a dispute}"
        )
        part = f"fields: [{', '.join(judge.fields)}], " if judge.fields else ""
        yield f"  - {{at: {_SHOWN}, do: disclose, id: shown, tx: message, as: {case.sender},"
        yield f"     to: [{judge.name}], {part}reason: to settle the dispute, answers: dispute}}"


def _totals(case: Case) -> Iterable[str]:
    """A total for each who may learn totals: over the voters, for fewer than four values give some away."""
    voters = (*case.members, *case.witnesses)[:MOST_CONTRIBUTORS]
    for number, name in enumerate(case.summers):
        at = f"{_SUMMED_S + number * _ROUND_S}s"
        yield f"  - {{at: {at}, do: aggregate, id: total-{number + 1}, as: {name},"
        yield f'     from: [{", ".join(voters)}], field: amount, data: {{amount: "1..1000"}}}}'


def _rules(case: Case) -> Iterable[str]:
    readers, judge = case.members, case.judge
    yield _readers(readers, _BEFORE if judge is not None else "end")
    if judge is not None and not judge.fields:
        yield _readers((*readers, judge.name), "end")
    elif judge is not None:
        yield _readers(readers, "end")
        for field in judge.fields:
            yield _readers((*readers, judge.name), "end", field)
    denied = [name for name in (*case.outsiders, *case.witnesses) if judge is None or name != judge.name]
    if denied:
        yield f"  - {{check: denied, tx: message, as: [{', '.join(denied)}]}}"
    for number, name in enumerate(case.summers, 1):
        yield f"  - {{check: learns_only, as: {name}, tx: total-{number}, what: total}}"


def _readers(names: Iterable[str], at: str, field: str = "") -> str:
    which = f" field: {field}," if field else ""
    return f"  - {{check: readers, tx: message,{which} at: {at}, are: [{', '.join(names)}]}}"


def _named(judge: Judge | None) -> tuple[str, ...]:
    return () if judge is None else judge.fields


def _list(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _cell(text: str) -> str:
    """Somebody's words, in one line and without what Markdown would make something of."""
    return "".join(sign for sign in " ".join(text.split()) if sign.isprintable() and sign not in "|*<>`")

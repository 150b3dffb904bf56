"""`privity init --ask`: seven answers become a scenario that loads, and a sheet of requirements."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from node.errors import PrivityError
from scenarios.asking.questions import HARMS, QUESTIONS, Question, ask
from scenarios.asking.requirements import NOT_MET, TESTED, Case
from scenarios.asking.writing import scenario_text, sheet_text
from scenarios.model.expected import Denied, Readers
from scenarios.model.loading import parse_scenario
from scenarios.model.scenario import Scenario
from tests.command_line import Privity

BID = ["acme, city", "crane", "bolt", "nobody", "auditor: price, date", "at once", "none"]


def case_of(lines: list[str]) -> Case:
    """The case of these answers; the first bad one ends it."""
    rest = iter(lines)
    return Case.of(ask(lambda question, complaint: None if complaint else next(rest, None)))


def scenario_of(case: Case) -> Scenario:
    return parse_scenario(scenario_text(case, "own"), "own.yaml")


def test_the_questions_are_the_seven() -> None:
    """Who acts, who knows, who never, totals, disputes, when, and what harm."""
    assert [question.key for question in QUESTIONS] == [
        *("act", "know", "never", "totals", "dispute", "opens", "harm")
    ]


def test_answers_become_parties_steps_and_rules() -> None:
    """Who acts votes, with neutral voters up to four; who must not read follows, and a rule denies it."""
    scenario = scenario_of(case_of(BID))
    assert scenario.voters == ("acme", "city", "witness-1", "witness-2")
    assert set(scenario.names) - set(scenario.voters) == {"crane", "bolt", "auditor"}
    readers = [each for each in scenario.expectations if isinstance(each, Readers)]
    assert {each.field for each in readers} == {None, "price", "date"}
    (denied,) = [each for each in scenario.expectations if isinstance(each, Denied)]
    assert set(denied.parties) == {"crane", "bolt", "witness-1", "witness-2"}


def test_what_the_scenario_cannot_show_stands_in_the_sheet() -> None:
    """A time of opening, totals, and the harm of being seen to deal are never passed over in silence."""
    answers = ["acme, city", "nobody", "bolt", "stats", "nobody", "12s", "grave"]
    case = case_of(answers)
    status = {each.text: each.status for each in case.requirements()}
    assert [text for text, word in status.items() if word == NOT_MET] == [
        "nobody reads it before 12 s have passed",
        "that acme deals with city stays between them",
    ]
    assert any("stats" in text and word == TESTED for text, word in status.items())
    text = scenario_text(case, "asked")
    assert "do: aggregate, id: total-1, as: stats" in text
    assert "{check: learns_only, as: stats, tx: total-1, what: total}" in text
    sheet = sheet_text(case, "own", dict(zip([q.key for q in QUESTIONS], answers, strict=True)))
    assert "Who settles a dispute" in sheet.split("## Still unstated")[1]
    assert all(text in sheet for text in status)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (["acme"], "at least two"),
        (["acme, city", "city"], "city must be able to act on it"),
        (["acme, city", "", "bolt", "", "bolt"], "who cannot see cannot judge"),
        (["acme, city", "", "", "", "city: price"], "nobody judges their own case"),
        (["acme, city", "", "", "", "", "12"], "a time with a unit"),
        (["acme, city", "", "", "", "", "", "terrible"], "none, some or grave"),
        (["acme, broker"], "broker is taken"),
        (["acme, city", "crane"], "standard input ended"),
    ],
)
def test_an_answer_that_is_none_is_named(answers: list[str], why: str) -> None:
    """With the number of its question, and what would be an answer."""
    with pytest.raises(PrivityError) as refusal:
        case_of(answers)
    assert refusal.value.code == "E-ANSWER" and why in refusal.value.why


def test_on_a_terminal_a_bad_answer_is_asked_again() -> None:
    """With the reason, until it is good."""
    heard: list[str] = []
    lines = iter(["acme", "acme, city", *BID[1:]])

    def next_answer(question: Question, complaint: str) -> str:
        heard.append(complaint)
        return next(lines)

    assert Case.of(ask(next_answer)).members == ("acme", "city")
    (complaint,) = [complaint for complaint in heard if complaint]
    assert complaint == "name at least two: who says it, then who acts on it"


@pytest.mark.parametrize("seed", range(40))
def test_every_set_of_answers_gives_a_scenario_that_loads(seed: int) -> None:
    """Whoever is named, however often: the file is valid, and its own rules do not contradict each other."""
    stream = Random(seed)
    people = [f"org-{letter}" for letter in "abcdefgh"]
    stream.shuffle(people)
    act, rest = people[: stream.randint(2, 6)], people[6:]
    never = stream.sample(rest, stream.randint(0, 2))
    allowed = [name for name in (*rest, "court") if name not in never]
    lines = [
        ", ".join(act),
        " ".join(stream.sample(rest, stream.randint(0, 2))),
        ",".join(never),
        ",".join(stream.sample(rest, stream.randint(0, 1))),
        stream.choice(["nobody", *allowed, *(f"{name}: price" for name in allowed)]),
        stream.choice(["at once", "30s", ""]),
        stream.choice(HARMS),
    ]
    scenario = scenario_of(case_of(lines))
    assert len(scenario.voters) >= 4
    readers = {name for each in scenario.expectations if isinstance(each, Readers) for name in each.parties}
    denied = {name for each in scenario.expectations if isinstance(each, Denied) for name in each.parties}
    assert not readers & denied and set(never) <= denied and not set(never) & readers


def test_the_command_writes_both_and_overwrites_nothing(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From seven lines of standard input, without a prompt on standard output; a second time it refuses."""
    monkeypatch.chdir(tmp_path)
    lines = "".join(f"{line}\n" for line in BID).encode()
    done = privity(tmp_path, "init", "--ask", "-o", "bid.yaml", stdin=lines)
    assert done.code == 0 and done.out.startswith("wrote bid.yaml and bid-requirements.md")
    assert privity(tmp_path, "check", "bid.yaml").code == 0
    assert "auditor is shown price and date" in (tmp_path / "bid-requirements.md").read_text()
    again = privity(tmp_path, "init", "--ask", "-o", "bid.yaml", stdin=lines)
    assert again.code == 2 and "there already" in again.err

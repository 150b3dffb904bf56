"""What a report may hold for whom, and that it is searched before it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from node.errors import CHECK_FAILED, FINE, PrivityError
from node.run_folder import RunFolder
from node.run_reading import RunReading
from scenarios.knowledge.matrix import build_matrix
from scenarios.leaks.canaries import Secret
from scenarios.leaks.recovered import recovered
from scenarios.model.filled import filled, masked
from scenarios.model.loading import load_scenario, parse_scenario
from scenarios.report.material import Material
from scenarios.report.writing import keep
from tests.command_line import Outcome, Privity
from tests.scenarios.page_reading import Page
from tests.scenarios.virtual_evidence import evidence_of, one

SCENARIOS = Path(__file__).parents[2] / "scenarios"
FOUR = """\
privity: 1
name: searched
network: {transport: memory}
consensus: {block_every: 50ms, view_timeout: 500ms}
parties: {alice: {}, bob: {}, carol: {}, dave: {}}
"""
NOTE = "the bridge is sold"
STEPS = f'steps:\n  - {{do: send, id: rent, as: alice, to: [bob], data: {{note: "{NOTE}"}}}}\n'
TELLING = f"about: Nobody may learn that {NOTE} today\n"


@pytest.fixture
def say(privity: Privity, tmp_path: Path) -> Callable[..., Outcome]:
    """A command with a home of its own."""
    return lambda *arguments: privity(tmp_path / "home", *map(str, arguments))


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "searched.yaml"
    file.write_text(text)
    return file


def test_each_audience_gets_its_own_content(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """The public gets no value and no field's name; a bank what it reads, stamped, and nothing of others."""
    say("run", SCENARIOS / "trade.yaml", "--transport", "memory", "-q")
    out = tmp_path / "out.html"
    private = ["Trieste", "cents", "11616000", "5808", "612", "fee_cents", "due_days", "on bill of lading"]

    assert say("report", "-o", out).code == FINE
    text = Page(out).text
    assert [word for word in private if word in text] == []
    assert 'data: "<private: whole number, whole number>"' in text
    assert "public: no content" in text and "contains content" not in text

    done = say("report", "-o", out, "--audience", "buyer-bank")
    assert done.code == FINE and done.out.splitlines()[0].endswith("; audience buyer-bank")
    page = Page(out)
    assert [word for word in private if word in page.text] == [
        "cents", "11616000", "5808", "fee_cents", "on bill of lading"
    ]  # fmt: skip
    assert "contains content readable by buyer-bank" in page.text
    assert page.table("settle, from buyer-bank").signs[1:] == [["cents", "11616000"], ["fee_cents", "5808"]]
    assert "_canary" not in page.text
    looked = say("logs", "--ev", "audit.read", "--json").out.splitlines()
    assert {json.loads(line)["party"] for line in looked} == {"buyer-bank"} and len(looked) == 2


def test_a_step_is_shown_to_who_reads_all_of_it(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """Of a load that a party reads in part it gets that part, and not what the file says of all."""
    text = FOUR + (
        "steps:\n"
        "  - {do: load, id: some, as: alice, to: {random: 1, among: [bob, carol]}, count: 9, "
        "data: {pay: 1..900}}\n"
        "  - {do: load, id: all, as: alice, to: [bob], count: 3, data: {sum: 1..800}}\n"
    )
    say("run", written(tmp_path, text), "-q")
    out = tmp_path / "out.html"
    assert say("report", "-o", out, "--audience", "bob").code == FINE
    page = Page(out)
    own = [table.caption for table in page.tables if table.caption.endswith(", from alice")]
    assert 3 < len(own) < 12
    assert "data: {sum: 1..800}" in page.text.replace('"', "")
    assert "1..900" not in page.text and "<private: drawn number>" in page.text


def test_a_report_that_would_leak_is_not_written(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """A text of a payload that about: repeats is found; who reads it gets the report, others do not."""
    say("run", written(tmp_path, FOUR + TELLING + STEPS), "-q")
    out = tmp_path / "out.html"
    for audience in ("public", "carol"):
        refused = say("report", "-o", out, "--audience", audience)
        assert (refused.code, refused.out, out.exists()) == (CHECK_FAILED, "", False)
        assert f"in the report for {audience}   E-LEAK" in refused.err and NOTE not in refused.err
    for audience in ("alice", "bob"):
        assert say("report", "-o", out, "--audience", audience).code == FINE
    old = out.read_bytes()
    assert say("report", "-o", out).code == CHECK_FAILED
    assert out.read_bytes() == old


@pytest.mark.parametrize("what", ["clean", "telling"])
def test_the_report_of_a_run_is_searched_too(say: Callable[..., Outcome], tmp_path: Path, what: str) -> None:
    """`run --report` refuses to write what leaks, also when the run passes; the verdict is told first."""
    text = FOUR + (TELLING if what == "telling" else "") + STEPS
    out = tmp_path / "out.html"
    done = say("run", written(tmp_path, text), "--json", "-q", "--report", out)
    assert done.document["verdict"] == "pass"
    if what == "telling":
        assert done.code == CHECK_FAILED and "E-LEAK" in done.err and not out.exists()
    else:
        assert done.code == FINE and Page(out).text


@pytest.mark.parametrize(
    ("about", "result"), [("", "holds"), (TELLING, "broken")], ids=["nothing leaks", "about tells"]
)
def test_an_expectation_can_have_the_report_searched(
    say: Callable[..., Outcome], tmp_path: Path, about: str, result: str
) -> None:
    """`no_plaintext` with `report` judges the public report; the folder keeps the one with the verdict."""
    text = FOUR + about + STEPS + "expect:\n  - {check: no_plaintext, in: [logs, report]}\n"
    done = say("run", written(tmp_path, text), "--json", "-q")
    (judged,) = done.document["expectations"]
    assert judged["result"] == result
    kept = Page(RunFolder.find(tmp_path / "home").report)
    if result == "holds":
        assert done.code == FINE and judged["detail"].endswith("secrets found in logs, report")
        assert "✓ PASS" in kept.text and judged["detail"] in kept.text
    else:
        assert done.code == CHECK_FAILED and judged["detail"].endswith(" in report.html")
        assert "– NOT JUDGED" in kept.text  # What was found stays to be looked at.


def test_a_report_that_is_not_there_confirms_nothing(tmp_path: Path) -> None:
    """Where no report was made, that nothing was found in it is no answer."""
    rule = "expect:\n  - {check: no_plaintext, in: [report, logs]}\n"
    judged = one(evidence_of(tmp_path, FOUR + STEPS + rule))
    assert (judged.result, judged.detail) == ("unconfirmed", "there is no report to search")


def test_without_that_expectation_no_report_is_made(say: Callable[..., Outcome], tmp_path: Path) -> None:
    """By default `no_plaintext` searches what every run leaves, so no report is made that nobody wants."""
    say("run", written(tmp_path, FOUR + STEPS + "expect:\n  - {check: no_plaintext}\n"), "-q")
    assert not RunFolder.find(tmp_path / "home").report.exists()


@pytest.mark.parametrize(
    ("kind", "for_alice"),
    [("text", ""), ("salt", "E-LEAK"), ("canary", "E-LEAK"), ("wrapping key", "E-LEAK")],
)
def test_keys_and_salts_are_for_no_audience(tmp_path: Path, kind: str, for_alice: str) -> None:
    """A party gets its texts in a report, and no key, salt or canary; the public and others nothing."""
    folder = evidence_of(tmp_path, FOUR + STEPS).folder
    secrets = [Secret(frozenset(("alice",)), kind, "Made by a simulator")]  # Which each page says.

    def code(audience: str | None) -> str:
        try:
            keep(Material(folder, audience), tmp_path / "out.html", secrets)
        except PrivityError as error:
            return error.code
        return ""

    assert (code("alice"), code(None), code("bob")) == (for_alice, "E-LEAK", "E-LEAK")


def test_the_secrets_of_a_run_are_found_again_in_its_folder(tmp_path: Path) -> None:
    """Keys and payloads from the folder alone are those that the run remembers, with the same readers."""
    text = (
        FOUR
        + STEPS
        + (
            '  - {do: load, id: traffic, as: "*", to: {random: 1..2}, count: 9, rate: 20/s, size: 200B, '
            'data: {pay: "1..900"}}\n'
        )
    )
    evidence = evidence_of(tmp_path, text)
    reading = RunReading(evidence.folder)
    found = recovered(reading, build_matrix(evidence.folder), evidence.scenario)

    def told(secrets: list[Secret]) -> set[tuple[bytes, frozenset[str], str]]:
        return {(secret.raw, secret.readers, secret.kind) for secret in secrets}

    assert told(found) == told(evidence.secrets.all)
    assert {secret.kind for secret in found} == {
        "signing key", "wrapping key", "content key", "salt", "text", "canary"
    }  # fmt: skip


def test_the_secrets_of_a_tender_are_found_again(tmp_path: Path) -> None:
    """Bids that several unsealed together, and one that was shown to who has no blob of it; shares, too."""
    tender = (SCENARIOS / "sealed-bid-tender.yaml").read_text()
    evidence = evidence_of(tmp_path, tender.replace("transport: mqtt ", "transport: memory "))
    found = recovered(RunReading(evidence.folder), build_matrix(evidence.folder), evidence.scenario)
    for kind in ("share", "canary"):
        remembered = {(secret.raw, secret.readers) for secret in evidence.secrets.all if secret.kind == kind}
        assert {(secret.raw, secret.readers) for secret in found if secret.kind == kind} == remembered
        assert len(remembered) == {"share": 6, "canary": 4}[kind]


def test_texts_that_were_never_sent_are_secrets_too(tmp_path: Path) -> None:
    """What the plan would have sent is searched for, though no ledger and no blob holds it."""
    evidence = evidence_of(tmp_path, FOUR + "steps: []\n")
    planned = parse_scenario(FOUR + STEPS, "later.yaml", "later")
    found = recovered(RunReading(evidence.folder), build_matrix(evidence.folder), planned)
    assert [(s.raw.decode(), s.readers) for s in found if s.kind == "text"] == [
        (NOTE, frozenset(("alice", "bob")))
    ]


def test_a_masked_scenario_shows_types_alone() -> None:
    """Types in place of values at any depth, no name of a field, no broker's password; the rest as it is."""
    text = (
        "privity: 1\nname: masked\nnetwork: {transport: mqtt, broker: 'mqtt://user:hunter2@example.org:1883'}\n"
        "parties: {alice: {}, bob: {}, carol: {}, dave: {}}\nsteps:\n"
        "  - {do: send, id: rent, as: alice, to: [bob], data: {secretname: 5..3, b: true, c: 7, d: 1.5, "
        "e: {deep: x}, f: [1], g: null}}\n"
        '  - {do: load, id: traffic, as: bob, to: [alice], count: 3, data: {n: "1..900", t: words}}\n'
        "  - {do: send, id: open, as: bob, to: [alice], data: {shown: 77}}\n"
    )
    shown = masked(parse_scenario(text, "masked.yaml", "masked"), lambda step: step.id == "open")
    types = "text, true or false, whole number, number, map, list, nothing"
    assert f'data: "<private: {types}>"' in shown
    assert 'data: "<private: drawn number, text>"' in shown
    assert "data: {shown: 77}" in shown
    for word in ("secretname", "deep", "5..3", "900", "hunter2", "example.org"):
        assert word not in shown


def test_a_masked_scenario_is_the_filled_one_otherwise() -> None:
    """With everything readable nothing is left out."""
    scenario = load_scenario(SCENARIOS / "trade.yaml")
    assert masked(scenario, lambda step: True) == filled(scenario)

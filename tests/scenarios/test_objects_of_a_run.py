"""Private objects in scenario files: what a run tells of them, judges, and keeps to itself."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from node.errors import CHECK_FAILED, FINE
from scenarios import Network
from scenarios.judging import judge
from scenarios.leaks.canaries import Artefact, scan
from scenarios.model.filled import masked
from scenarios.model.loading import load_scenario, parse_scenario
from scenarios.model.objects import foreseen, foreseen_lines
from scenarios.model.plan import plan
from scenarios.model.scenario import PrivateState, Refused
from scenarios.network import BlockingNetwork
from scenarios.verdict import state_checks_in
from tests.command_line import Privity
from tests.scenarios.virtual_evidence import evidence_of

NAME = "our-common-book"
FILE = f"""\
privity: 1
name: objects
seed: 3
network: {{transport: memory}}
consensus: {{block_every: 50ms, view_timeout: 500ms}}
state_check: 4 blocks
parties: {{alice: {{}}, bob: {{}}, carol: {{}}, dave: {{}}}}
steps:
  - {{at: 200ms, do: send, id: first, as: alice, to: [bob, carol], object: {NAME}, data: {{price: 1}}}}
  - {{at: 600ms, do: send, id: second, as: bob, to: [alice, carol],
     object: {NAME}, expects: 1, data: {{price: 2}}}}
  - {{at: 900ms, do: send, id: late, as: alice, to: [bob, carol],
     object: {NAME}, expects: 1, data: {{price: 3}}}}
  - {{at: 1s, do: load, id: others, as: dave, to: [], count: 8, rate: 10/s}}
expect:
  - {{check: private_state}}
  - {{check: refused, step: late}}
  - {{check: refused, step: second}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three who share an object, and one who does not."""
    path = tmp_path / "objects.yaml"
    path.write_text(FILE)
    return path


def test_a_run_tells_what_came_of_each_write(privity: Privity, tmp_path: Path, file: Path) -> None:
    """Beside each step, in the log as refused, and in the verdict; a rule that does not hold fails."""
    done = privity(tmp_path, "run", str(file))
    lines = {line.split()[2]: line for line in done.err.splitlines() if " send " in line}
    assert lines["first"].endswith("version 1") and lines["second"].endswith("version 2")
    assert lines["late"].endswith("refused: stale, expected version 1, is 2")
    assert done.code == CHECK_FAILED
    assert "1 object of 1 audience, 2 applied, 1 refused, equal for all their parties" in done.out
    assert "refused  late: stale, as alice bob carol found" in done.out
    assert "refused  second: it took effect for alice bob carol" in done.out
    assert "no divergence" in done.out
    shown = privity(tmp_path, "show", "object", NAME, "--as", "carol")
    assert (shown.code, "price  2" in shown.out) == (FINE, True)
    assert "E-OBJECT" in privity(tmp_path, "show", "object", NAME, "--as", "dave").err
    why = privity(tmp_path, "why", "late").out
    assert "its write had no effect: stale version" in why
    fields = privity(tmp_path, "who-sees", "first", "--fields").out
    assert "price" in fields and "_object" not in fields and NAME not in fields


def test_check_foresees_it_and_names_no_object(privity: Privity, tmp_path: Path, file: Path) -> None:
    """In the order of sending; of those at one moment any may be first."""
    out = privity(tmp_path, "check", str(file)).out
    assert "late writes an object of alice bob carol: refused: stale, is 2" in out
    assert "parties compare the objects they share every 4 blocks" in out and NAME not in out
    drawn = f"do: load, id: rush, as: alice, to: [bob], object: {NAME}, burst: 8"
    rush = parse_scenario(FILE.replace("do: load, id: others, as: dave, to: []", drawn), "f")
    found = {each.send.id: each for each in foreseen(plan(rush))}
    assert [found[f"rush-000{n}"].applied for n in range(1, 9)] == [True] + [False] * 7
    assert len(found["rush-0001"].at_once) == 7 and found["first"].at_once == ()
    assert "rush-0001 and 7 more write at once" in "\n".join(foreseen_lines(plan(rush)))


def tamper(net: BlockingNetwork, name: str, sql: str) -> None:
    """Change what a node's disk says of private state, beside the running node."""
    with closing(sqlite3.connect(net.folder.node(name) / "index.sqlite", isolation_level=None)) as database:
        assert database.execute(sql).rowcount == 1


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM object_write WHERE version = 1",
        "UPDATE object_write SET version = 7 WHERE version = 2 AND outcome = 'applied'",
    ],
)
def test_a_divergence_fails_a_run_without_any_rule(tmp_path: Path, sql: str) -> None:
    """P37: the verdict names both parties and the first transaction that differs, by what steps call it."""
    path = tmp_path / "f.yaml"
    path.write_text(FILE[: FILE.index("expect:")])
    with Network.load(path, home=tmp_path / "home") as net:
        net.send("alice", to=["bob", "carol"], data={"price": 1}, id="one", object=NAME)
        net.send("bob", to=["alice", "carol"], data={"price": 2}, id="two", object=NAME, expects=1)
        tamper(net, "carol", sql)
        for number in range(6):
            net.send("dave", to=[], data={"n": number}, id=f"more-{number}")
        net.wait_for(seconds=0.5)
        document = net.judge().document
    assert document["verdict"] == "fail"
    first = "one" if "DELETE" in sql else "two"
    found = {(*each["between"], each["tx"]) for each in document["divergences"]}
    assert found == {("alice", "carol", first), ("bob", "carol", first)}
    (line, _) = state_checks_in(document)
    assert line.startswith("✗ divergence: private state between ") and f"first at tx {first}" in line


def test_a_clean_run_reports_none_and_was_checked(file: Path, tmp_path: Path) -> None:
    """P37: that nothing was reported says something only because parties compared."""
    with Network.load(file, home=tmp_path / "home") as net:
        net.play()
        document = net.judge().document
    assert document["divergences"] == [] and document["state_checks"]["confirmed"] >= 6
    assert "diverged" not in document["state_checks"]


def test_judges_open_everything_again(tmp_path: Path) -> None:
    """What a node says is held against its own ledger and keys; what is not known yet confirms nothing."""
    evidence = evidence_of(tmp_path, FILE)
    rules = evidence.scenario.expectations
    assert [each.result for each in judge(evidence)] == ["holds", "holds", "broken"]
    path = evidence.folder.node("bob") / "index.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE object_write SET outcome = 'applied' WHERE outcome = 'stale'")
    state, late, _ = judge(evidence)
    assert state.result == "broken"
    assert state.detail == "bob has another state than its ledger gives, first at tx late"
    assert (late.result, late.detail) == ("broken", "late: it took effect for bob")
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE object_write SET outcome = 'waiting' WHERE version = 2")
        database.execute("UPDATE tx SET payload = 'missing' WHERE payload = 'delivered'")
    assert isinstance(rules[0], PrivateState) and isinstance(rules[1], Refused)
    unsure = replace(evidence, scenario=replace(evidence.scenario, expectations=rules[:2]))
    assert [each.result for each in judge(unsure)] == ["unconfirmed", "unconfirmed"]


def test_an_objects_name_is_a_secret_of_its_readers(tmp_path: Path) -> None:
    """It is searched for wherever they are not, hidden in reports, and in no log; the scan would find it."""
    evidence = evidence_of(tmp_path, FILE)
    stores = frozenset(("logs", "broker", "ledgers"))
    assert not evidence.scan(stores).found
    planted = evidence.folder.path / "planted"
    planted.write_text(json.dumps({"note": NAME}))
    found = scan(evidence.secrets.all, [Artefact(planted, None)], root=evidence.folder.path, public=[]).found
    assert [each.path for each in found] == ["planted"]
    hidden = masked(evidence.scenario, lambda step: False)
    assert NAME not in hidden and 'object: "<private: text>"' in hidden
    assert 'expects: "<private: whole number>"' in hidden
    assert NAME in masked(evidence.scenario, lambda step: True)
    assert NAME not in repr(evidence.scenario) and NAME not in repr(plan(evidence.scenario))


@pytest.mark.parametrize("payload", ["on_chain", "off_chain"])
def test_a_reader_that_was_down_ends_with_the_same(tmp_path: Path, payload: str) -> None:
    """P40, in both ways in which payloads travel: writers collide while a reader is away."""
    text = FILE.replace("state_check", f"privacy: {{payload: {payload}}}\nstate_check")
    away = "{at: 400ms, do: fault, id: away, kind: crash, nodes: carol, for: 1s}"
    text = text.replace("  - {at: 1s,", f"  - {away}\n  - {{at: 2s,")
    evidence = evidence_of(tmp_path, text.replace("  - {check: refused, step: second}\n", ""))
    assert [each.result for each in judge(evidence)] == ["holds", "holds"]
    assert evidence.divergences == [] and evidence.settled


def test_how_often_is_20_blocks_where_steps_write_objects() -> None:
    """And never where none do; the file may say otherwise."""
    bare = FILE.replace("state_check: 4 blocks\n", "")
    assert parse_scenario(bare, "f").state_check == 20
    assert parse_scenario(FILE, "f").state_check == 4
    none = bare[: bare.index("steps:")]
    assert parse_scenario(none, "f").state_check == 0
    assert parse_scenario("state_check: 9 blocks\n" + none, "f").state_check == 9


def test_the_story_is_what_it_says() -> None:
    """Two writers of one version, and a load of twelve."""
    story = load_scenario(Path(__file__).parents[2] / "scenarios" / "loan-ledger.yaml")
    refused = [each.send.id for each in foreseen(plan(story)) if not each.applied]
    assert refused[0] == "new-rate" and len(refused) == 12

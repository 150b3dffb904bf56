"""`do: purge` and purge receipts in a run: played, predicted, judged, shown (P42, P43)."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.chain.store import Store
from node.erasing.purging import PurgeReceipts
from node.run_folder import RunFolder
from node.run_reading import RunReading
from scenarios.knowledge.matrix import build_matrix
from scenarios.model.lints import lints
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import plan
from scenarios.model.prediction import predicted
from scenarios.model.problems import ScenarioInvalid
from tests.command_line import Privity

FILE = """privity: 1
name: purged
network: {transport: memory}
consensus: {block_every: 50ms}
parties: {ann: {}, bob: {}, cyd: {}, dan: {}}
steps:
  - {at: 1s, do: send, id: rec, as: ann, to: [bob], data: {note: gone in a moment}}
  - {at: 2s, do: disclose, tx: rec, as: bob, to: [cyd], reason: shown before}
  - {at: 3s, do: purge, id: gone, tx: rec, as: ann, reason: no longer needed}
  - {at: 4s, do: disclose, id: late, tx: rec, as: bob, to: [dan], reason: too late}
expect:
  - {check: agreement}
  - {check: readers, tx: rec, at: 2800ms, are: [ann, bob, cyd]}
  - {check: readers, tx: rec, are: []}
  - {check: denied,  tx: rec, as: [ann, bob, cyd, dan]}
  - {check: no_plaintext}
"""


def run(privity: Privity, home: Path, text: str = FILE) -> tuple[dict[str, object], RunFolder]:
    """The verdict of a virtual run, and its folder."""
    file = home / "purged.yaml"
    file.write_text(text)
    done = privity(home, "run", str(file), "--json", "-q", "--report", str(home / "out.html"))
    document = done.document
    return document, RunFolder(Path(document["run_dir"]))


def symbols(folder: RunFolder, at: str) -> str:
    return "".join(cell.symbol for cell in build_matrix(folder, at).row("rec").cells.values())


@pytest.mark.parametrize("payload", ["on_chain", "off_chain"])
def test_p43_the_receipts_are_on_record_and_shown(privity: Privity, tmp_path: Path, payload: str) -> None:
    """Read before, by nobody after; `show tx`, `why` and the report say who signed that it erased it."""
    text = FILE.replace("consensus:", f"privacy: {{payload: {payload}}}\nconsensus:")
    document, folder = run(privity, tmp_path, text)
    assert document["verdict"] == "pass", document
    assert symbols(folder, "end") == "####○" and symbols(folder, "2800ms")[:3] == "●●●"
    obliged = "ann, bob, cyd, dan" if payload == "on_chain" else "ann, bob"
    shown = privity(tmp_path, "show", "tx", "rec", "--as", "ann").out
    assert 'ann has every node erase it: "no longer needed"' in shown
    assert f"receipts of {obliged}\n" in shown and "none of" not in shown
    public = privity(tmp_path, "show", "tx", "rec").out
    assert ("receipts of" in public) == (payload == "on_chain")
    purged = privity(tmp_path, "show", "tx", "rec", "--as", "ann", "--json").document["purged"]
    assert purged["missing"] == [] and purged["signed"] == obliged.split(", ")
    assert f"receipts of {obliged}" in (tmp_path / "out.html").read_text()
    assert "erased" in privity(tmp_path, "why", "rec").out
    late = privity(tmp_path, "show", "tx", "late", "--as", "ann")
    assert late.code != 0, "nothing is shown of what is erased, so there is no such record"


def test_p43_a_node_that_signs_and_keeps_is_convicted_by_its_disk(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan of its folder contradicts its receipt: the run fails, and names it."""
    plain = Store.erase_blob

    def keeping(store: Store, identifier: bytes) -> bool:
        return True if store._path.parent.name == "bob" else plain(store, identifier)

    monkeypatch.setattr(Store, "erase_blob", keeping)
    document, folder = run(privity, tmp_path)
    assert document["verdict"] == "fail"
    plan_of_run = document["plan"]
    assert isinstance(plan_of_run, dict)
    assert "still there after its purge at bob; bob signed to have erased it" in plan_of_run["first"][0]
    assert "bob signed, and has it still" in privity(tmp_path, "show", "tx", "rec").out
    assert symbols(folder, "end")[1] == "●"


def test_p43_a_receipt_that_never_comes_is_missed(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that erases and does not sign leaves the run unconfirmed, and is named."""
    plain = PurgeReceipts.tick

    def silent(receipts: PurgeReceipts, now_ms: int, height: int) -> None:
        if receipts._name != "cyd":
            plain(receipts, now_ms, height)
        else:
            receipts._repeating.due(now_ms)

    monkeypatch.setattr(PurgeReceipts, "tick", silent)
    document, _ = run(privity, tmp_path)
    assert document["verdict"] != "pass"
    expectations = document["expectations"]
    assert isinstance(expectations, list)
    details = " ".join(each["detail"] for each in expectations)
    assert "no purge receipt of cyd" in details
    assert "receipts of ann, bob, dan; none of cyd" in privity(tmp_path, "show", "tx", "rec").out


def test_p43_keep_is_signed_for_too(privity: Privity, tmp_path: Path) -> None:
    """Twelve payloads kept for a block: every node signs, many in one act."""
    text = (
        FILE.split("steps:")[0]
        + """steps:
  - {at: 1s, do: load, id: rec, as: ann, to: [bob], count: 12, rate: 20/s, keep: 1 block, data: {n: "1..9"}}
  - {at: 3s, do: send, id: last, as: ann, to: [bob], data: {n: 1}}
expect:
  - {check: agreement}
  - {check: readers, tx: rec, are: []}
"""
    )
    document, folder = run(privity, tmp_path, text)
    assert document["verdict"] == "pass", document
    chain = RunReading(folder).highest()
    acts = [act for _, act in chain.acts()]
    assert {act.sender for act in acts} == {"ann", "bob", "cyd", "dan"}
    assert len(acts) <= 4 * 4, "gathered, not one for each payload and node"


def test_it_is_predicted() -> None:
    """# for all nodes once it is purged; rules of a time before are held against who reads then."""
    scenario = parse_scenario(FILE, "x.yaml")
    (row,) = predicted(scenario, plan(scenario))
    assert "".join(cell.symbol for cell in row.cells.values()) == "####○"
    assert not [each for each in lints(scenario, plan(scenario)) if each.code == "W-EXPECT"]
    wrong = parse_scenario(FILE.replace("are: []", "are: [ann, bob]"), "x.yaml")
    assert [each.line for each in lints(wrong, plan(wrong)) if each.code == "W-EXPECT"] == [14]


@pytest.mark.parametrize(
    ("step", "code", "words"),
    [
        ("{at: 5s, do: purge, tx: rec, as: bob}", "E-NOT-PARTY", "ann did"),
        ("{at: 0s, do: purge, tx: rec, as: ann}", "E-VALUE", "is not sent before"),
        ("{at: 5s, do: purge, tx: rek, as: ann}", "E-TX", "did you mean rec"),
        ("{at: 5s, do: purge, tx: rec, as: ann, reason: gone in a moment}", "E-PRIVATE", "reason"),
        ("{at: 5s, do: purge, tx: rec, as: ann, to: [bob]}", "E-KEY", "unknown key"),
    ],
)
def test_what_cannot_be_is_refused(step: str, code: str, words: str) -> None:
    text = FILE.replace("expect:", f"  - {step}\nexpect:")
    with pytest.raises(ScenarioInvalid) as refused:
        parse_scenario(text, "x.yaml")
    assert code in [problem.code for problem in refused.value.problems]
    assert words in " ".join(problem.message for problem in refused.value.problems)

"""A purge receipt that is missing: verdict, `why`, `who-sees` and report say whose, and what keeps it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from node.chain.store import Store
from node.erasing.purge_reading import purges_of
from node.erasing.purging import PurgeReceipts
from node.errors import CHECK_FAILED, FINE
from node.run_folder import RunFolder
from node.run_reading import RunReading
from scenarios.why.receipts import BEHIND, KEPT, SILENT, missing_receipts, receipts_of_run
from tests.command_line import Privity

FILE = """privity: 1
name: owed
network: {transport: memory}
privacy: {payload: off_chain}
consensus: {block_every: 50ms}
parties: {ann: {}, bob: {}, cyd: {}, dan: {}, eve: {}}
steps:
  - {at: 1s, do: send, id: rec, as: ann, to: [bob], data: {note: gone in a moment}}
  - {at: 3s, do: purge, id: gone, tx: rec, as: ann, reason: no longer needed}
expect:
  - {check: agreement}
  - {check: readers, tx: rec, are: []}
"""
AWAY = "  - {at: 3200ms, do: fault, id: away, kind: KIND, nodes: [ann]}\nexpect:"
KEEPS = "ann, who is owed the receipt, HOW at 3.2 s by fault away, until it is healed"


def run(privity: Privity, home: Path, text: str) -> tuple[dict[str, object], str, RunFolder]:
    """The verdict of a virtual run, what it holds against the plan, and its folder."""
    file = home / "owed.yaml"
    file.write_text(text)
    done = privity(home, "run", str(file), "--json", "-q", "--report", str(home / "out.html"))
    document = done.document
    expectations = document["expectations"]
    assert isinstance(expectations, list)
    details = " ".join(each["detail"] for each in expectations if "predicted" in each["check"])
    return document, details, RunFolder(Path(document["run_dir"]))


@pytest.mark.parametrize(("kind", "how"), [("crash", "crashed"), ("pause", "paused")])
def test_p43_a_run_ends_without_what_is_owed_to_one_that_is_gone(
    privity: Privity, tmp_path: Path, kind: str, how: str
) -> None:
    """It does not wait for the receipt for ever, blames nobody for it, and says who is owed it since when."""
    document, details, _ = run(privity, tmp_path, FILE.replace("expect:", AWAY.replace("KIND", kind)))
    assert document["verdict"] == "unconfirmed"
    seconds = document["virtual_seconds"]
    assert isinstance(seconds, int | float) and seconds < 8, "it came to rest"
    because = f"bob: erased it and signed; {KEEPS.replace('HOW', how)}"
    assert "no purge receipt of ann bob" in details and because in details
    why = privity(tmp_path, "why", "rec")
    assert why.code == CHECK_FAILED and f"purge receipt of {because}" in why.out
    assert "erased since block 3, as its sender asked, and 2 purge receipts are missing" in why.out
    told = privity(tmp_path, "why", "rec", "--json").document["tx"]
    assert [(each["node"], each["state"]) for each in told["missing_receipts"]] == [
        ("ann", "away"),
        ("bob", "owed"),
    ]
    assert told["missing_receipts"][1]["missing"]["fault"] == "away"
    for more in ((), ("rec",)):
        assert f"! rec: no purge receipt of {because}" in privity(tmp_path, "who-sees", *more).out
    assert "no purge receipt" not in privity(tmp_path, "who-sees", "--at", "2s").out
    matrix = privity(tmp_path, "who-sees", "--json").document
    assert [each["owed_to"] for each in matrix["missing_receipts"]] == ["ann", "ann"]
    page = (tmp_path / "out.html").read_text()
    assert because in page[page.index("Receipts that are missing, and what keeps each") :]


def test_p43_with_all_receipts_nothing_is_said(privity: Privity, tmp_path: Path) -> None:
    """The owner that comes back gets what is owed to it."""
    back = AWAY.replace("KIND", "crash").replace("nodes: [ann]", "nodes: [ann], for: 4s")
    document, details, folder = run(privity, tmp_path, FILE.replace("expect:", back))
    assert (document["verdict"], details) == ("pass", "")
    why = privity(tmp_path, "why", "rec")
    assert why.code == FINE and "missing" not in why.out and "as its sender asked." in why.out
    assert "missing_receipts" not in privity(tmp_path, "who-sees", "--json").document
    reading = RunReading(folder)
    assert receipts_of_run(reading, [each.tx for each in purges_of(reading)]) == []
    assert "Receipts that are missing" not in (tmp_path / "out.html").read_text()


def test_p43_who_erases_and_gives_no_receipt_is_named(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing keeps it, so the run fails; the other states are told apart by its chain and its disk."""

    def forgetting(receipts: PurgeReceipts, identifier: bytes, owner: str) -> None:
        receipts._store.drop_receipts_due([identifier])

    monkeypatch.setattr(PurgeReceipts, "_seal", forgetting)
    document, details, folder = run(privity, tmp_path, FILE)
    assert document["verdict"] == "fail" and "bob: erased it, and gave no receipt" in details
    reading = RunReading(folder)
    (purged,) = purges_of(reading)

    def state(**changes: object) -> str:
        (one,) = missing_receipts(reading, replace(purged, **changes), {})  # type: ignore[arg-type]
        return one.state

    assert (state(), state(height=99), state(kept=("bob",))) == (SILENT, BEHIND, KEPT)


def test_p43_on_chain_it_waits_for_a_block(
    privity: Privity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a node signed and no block has."""
    monkeypatch.setattr(Store, "drop_receipts_due", lambda store, identifiers: None)
    plain = PurgeReceipts.tick

    def silent(receipts: PurgeReceipts, now_ms: int, height: int) -> None:
        if receipts._name != "cyd":
            plain(receipts, now_ms, height)
        else:
            receipts._repeating.due(now_ms)

    monkeypatch.setattr(PurgeReceipts, "tick", silent)
    document, details, _ = run(privity, tmp_path, FILE.replace("off_chain", "on_chain"))
    assert document["verdict"] == "unconfirmed"
    assert "cyd: erased it and signed; its receipt waits for a block" in details


def test_why_tells_of_breaches_and_of_whom_only_a_rule_binds(privity: Privity, tmp_path: Path) -> None:
    """Cell K: who sold a record, with the nodes that have the proof, and who could still read it alone."""
    story = Path(__file__).parents[2] / "scenarios" / "consent.yaml"
    text = story.read_text().replace("consensus:", "network: {transport: memory}\nconsensus:")
    (tmp_path / "consent.yaml").write_text(text.replace("count: 100", "count: 2"))
    assert privity(tmp_path, "run", str(tmp_path / "consent.yaml"), "-q").code == FINE
    why = privity(tmp_path, "why", "profile")
    assert "fit-app showed it to insurer against its owner's rule; proof kept by" in why.out
    assert "coach can still read it alone: revoked in block" in why.out
    assert "insurer can still read it alone: shown by fit-app without consent in block" in why.out
    assert why.code == FINE, "it has arrived"
    told = privity(tmp_path, "why", "profile", "--json").document["tx"]
    assert [each["node"] for each in told["bound"]] == ["coach", "insurer"]
    assert [(each["by"], each["to"]) for each in told["breaches"]] == [("fit-app", ["insurer"])]
    other = privity(tmp_path, "why", "records-0001")
    assert "rule" not in other.out and "broke" not in other.out

"""Judging is three-valued: holds, broken, unconfirmed; by what lies on the disks, not by what nodes say."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from node.chain.store import BlockRow
from node.errors import CHECK_FAILED, FINE, UNCONFIRMED
from node.run_folder import RunFolder
from scenarios.chains import Chain, behind, committed_everywhere, first_disagreement
from scenarios.judging import Evidence, Judgement, incidents, judge, plan_differences, predicted
from scenarios.model.loading import load_scenario
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Agreement, Denied, Height, NoPlaintext, Readers
from scenarios.operating import Options
from scenarios.session import Session, new_folder
from scenarios.verdict import EXIT_CODES, in_words, verdict_of

SCENARIO = """\
privity: 1
name: judged
parties: {alice: {votes: true}, bob: {votes: true}, carol: {votes: true}, dave: {votes: true}}
steps:
  - {do: send, id: rent, as: alice, to: [bob], data: {note: "rent for the month of May"}}
  - {do: send, id: diary, as: carol, to: [], data: {note: "nobody else may read this"}}
expect:
  - {check: agreement}
  - {check: readers, tx: rent, are: [alice, bob]}
  - {check: denied, tx: diary, as: [alice, bob, dave]}
  - {check: height, min: 1}
  - {check: no_plaintext}
"""
Change = Callable[..., Evidence]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    """What a real run left behind, nothing wrong with it. Tests change a copy of it by hand."""
    place = tmp_path_factory.mktemp("judged")
    (place / "judged.yaml").write_text(SCENARIO)
    scenario = load_scenario(place / "judged.yaml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRIVITY_HOME", str(place / "home"))
        folder = new_folder(scenario)
        evidence: list[Evidence] = []

        async def run() -> None:
            options = Options(in_process=True)
            session = Session(scenario, place / "judged.yaml", folder, options, lambda kind, text: None)
            async with session.running():
                settled = await session.play()
            evidence.append(session.evidence(settled))

        asyncio.run(run())
    return evidence[0]


@pytest.fixture
def change(good: Evidence) -> Change:
    """A copy of the good evidence with some of it replaced, and nothing looked up yet."""
    return lambda **changes: dataclasses.replace(good, **changes)


def results(evidence: Evidence) -> dict[str, str]:
    return {each.check: each.result for each in judge(evidence)}


def one(evidence: Evidence, check: str) -> Judgement:
    (found,) = [each for each in judge(evidence) if each.check == check]
    return found


def verdict(evidence: Evidence) -> tuple[str, dict[str, Any]]:
    document = verdict_of(evidence, judge(evidence), views={}, world={"broker": "embedded"}, seconds=1.0)
    return document["verdict"], document


def expecting(evidence: Evidence, *expectations: object) -> Any:
    return dataclasses.replace(evidence.scenario, expectations=expectations)


def forked(chain: Chain, height: int) -> Chain:
    """The same chain with another block at one height."""
    block = chain.blocks[height]
    other = BlockRow(height, os.urandom(32), block.state_root, block.time_ms, block.at, block.certified_at)
    return dataclasses.replace(chain, blocks={**chain.blocks, height: other})


def shorter(chain: Chain, by: int = 1) -> Chain:
    """The same chain without its last blocks and what they executed."""
    top = chain.height - by
    return dataclasses.replace(
        chain,
        blocks={height: block for height, block in chain.blocks.items() if height <= top},
        executed={tx: height for tx, height in chain.executed.items() if height <= top},
    )


def test_a_good_run_holds(good: Evidence) -> None:
    """All five expectations of a good run hold, its readers are those of the plan, and it passes."""
    assert results(good) == dict.fromkeys(
        ("agreement", "readers", "denied", "height", "no_plaintext"), "holds"
    )
    assert [] == plan_differences(good) == incidents(good)
    word, document = verdict(good)
    assert (word, EXIT_CODES[word]) == ("pass", FINE)
    assert document["transactions"] == {"planned": 2, "submitted": 2, "committed": 2, "refused": 0}


def test_a_node_with_another_block_breaks_agreement(good: Evidence, change: Change) -> None:
    """Two blocks at one height: broken, with the height and who holds which, whatever else is true."""
    chains = [*good.chains[:3], forked(good.chains[3], 2)]
    assert chains[3].node == "dave"
    found = one(change(chains=chains, settled=False), "agreement")
    assert found.result == "broken"
    same, other = chains[0].blocks[2].hash.hex()[:8], chains[3].blocks[2].hash.hex()[:8]
    assert found.detail.startswith("block 2 differs: ")
    assert f"{same} at alice bob carol" in found.detail and f"{other} at dave" in found.detail
    assert (verdict(change(chains=chains))[0], EXIT_CODES["fail"]) == ("fail", CHECK_FAILED)


def test_another_state_is_a_disagreement_too(good: Evidence) -> None:
    """Equal blocks with unequal state roots differ; the lowest such height is the one that is told."""
    block = good.chains[1].blocks[1]
    root = BlockRow(1, block.hash, os.urandom(32), block.time_ms, block.at, block.certified_at)
    bob = dataclasses.replace(forked(good.chains[1], 2), blocks={**good.chains[1].blocks, 1: root})
    said = first_disagreement([good.chains[0], bob])
    assert said is not None and said.startswith("block 1 differs: ")
    assert first_disagreement([]) is None and first_disagreement(good.chains) is None


def test_a_node_that_is_behind_leaves_agreement_unconfirmed(good: Evidence, change: Change) -> None:
    """A shorter chain contradicts nobody and confirms nothing: unconfirmed, exit code 3, with its name."""
    chains = [*good.chains[:2], shorter(good.chains[2]), good.chains[3]]
    assert behind(chains) == ["carol"]
    found = one(change(chains=chains, settled=False), "agreement")
    assert (found.result, found.detail) == ("unconfirmed", "behind the others: carol")
    word, _ = verdict(change(chains=chains, settled=False))
    assert (word, EXIT_CODES[word]) == ("unconfirmed", UNCONFIRMED)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"settled": False, "ended": ("dave",)}, "dave ended by itself"),
        ({"settled": False}, "the nodes did not come to rest in time"),
    ],
)
def test_a_run_that_is_not_at_rest_never_passes(
    good: Evidence, change: Change, changes: dict[str, Any], said: str
) -> None:
    """Equal chains prove nothing while a node is gone or busy: unconfirmed, even with no expectation."""
    evidence = change(**changes)
    found = one(evidence, "agreement")
    assert ("unconfirmed", said) == (found.result, found.detail)
    bare = change(**changes, scenario=expecting(good))
    word, document = verdict(bare)
    assert word == "unconfirmed"
    assert f"? run  {said}" in in_words(document, judge(bare), incidents(bare), "privity run x")


def test_readers_are_found_by_trying(good: Evidence, change: Change) -> None:
    """One reader more is broken at once; one fewer is broken at rest and unconfirmed before."""
    parties = ("alice", "bob", "carol")
    fewer = Readers("readers", "", 7, "rent", ("rent",), parties, "end")
    more = dataclasses.replace(fewer, parties=("alice",))
    found = one(change(scenario=expecting(good, more), settled=False), "readers")
    assert (found.result, found.detail) == ("broken", "rent: expected alice; bob can read it too")
    assert (found.line, found.more) == (7, "privity who-sees rent")
    for settled, result in ((True, "broken"), (False, "unconfirmed")):
        found = one(change(scenario=expecting(good, fewer), settled=settled), "readers")
        assert (result, "rent: expected alice bob carol; carol cannot read it") == (
            found.result,
            found.detail,
        )


def test_denied_is_broken_by_whoever_reads(good: Evidence, change: Change) -> None:
    """A party that was to be denied and can read breaks the rule, and is named."""
    rule = Denied("denied", "", 8, "rent", ("rent",), ("bob", "dave"), "end")
    found = one(change(scenario=expecting(good, rule)), "denied")
    assert (found.result, found.detail) == ("broken", "rent: bob can read it")


@pytest.mark.parametrize("check", ["readers", "denied"])
def test_nobody_is_denied_what_is_not_there(good: Evidence, change: Change, check: str) -> None:
    """What was never sent, or not ordered everywhere by then, is unconfirmed and never a pass."""
    unsent = {name: sent for name, sent in good.sent.items() if name not in ("rent", "diary")}
    found = one(change(sent=unsent), check)
    assert found.result == "unconfirmed" and "was never sent" in found.detail
    chains = [*good.chains[:3], shorter(good.chains[3], good.chains[3].height - 1)]
    found = one(change(chains=chains), check)
    assert found.result == "unconfirmed" and "not ordered by then" in found.detail
    early = tuple(dataclasses.replace(each, at=0) for each in good.scenario.expectations[1:3])
    found = one(change(scenario=expecting(good, *early)), check)
    assert found.result == "unconfirmed" and " at 0s: it was not ordered by then" in found.detail


def test_height(good: Evidence, change: Change) -> None:
    """The lowest node counts for a minimum, and an exact height must be that of all."""
    top = good.chains[0].height

    def found(least: int | None, exactly: int | None, **changes: Any) -> str:
        rule = Height(check="height", path="", line=9, at="end", least=least, exactly=exactly)
        return one(change(scenario=expecting(good, rule), **changes), "height").result

    assert [found(top, None), found(top + 1, None)] == ["holds", "broken"]
    assert [found(None, top), found(None, top - 1)] == ["holds", "broken"]
    late = [*good.chains[:3], shorter(good.chains[3])]
    assert [found(top, None, chains=late), found(None, top, chains=late)] == ["broken", "broken"]


def test_finding_nothing_where_there_was_nothing_proves_nothing(good: Evidence, change: Change) -> None:
    """no_plaintext without a transaction is unconfirmed, although keys were searched for."""
    found = one(change(sent={}), "no_plaintext")
    assert found.result == "unconfirmed" and "no transaction was sent" in found.detail


@pytest.mark.parametrize("way", ["lost", "missing"])
def test_what_was_not_recorded_was_not_searched(
    good: Evidence, change: Change, way: str, tmp_path: Path
) -> None:
    """no_plaintext of the broker needs a whole capture; of the logs alone it does not."""
    capture = good.folder.capture
    evidence = change(ended=("recorder",)) if way == "lost" else change()
    if way == "missing":
        capture.rename(tmp_path / "capture.bin")
    try:
        assert one(evidence, "no_plaintext").result == "unconfirmed"
        logs = NoPlaintext(check="no_plaintext", path="", line=3, stores=("logs",))
        assert one(change(scenario=expecting(good, logs)), "no_plaintext").result == "holds"
    finally:
        if way == "missing":
            (tmp_path / "capture.bin").rename(capture)


def test_a_reader_outside_the_plan_fails_the_run_without_any_rule(good: Evidence, change: Change) -> None:
    """Readers other than the drawn plan's fail the verdict, in words, with no expectation about them."""
    sent = good.sent["rent"]
    planned: PlannedSend = dataclasses.replace(sent.planned, readers=("carol",))
    agreement = Agreement("agreement", "", 2)
    evidence = change(
        sent={**good.sent, "rent": dataclasses.replace(sent, planned=planned)},
        scenario=expecting(good, agreement),
    )
    (said,) = plan_differences(evidence)
    assert said.startswith("rent: planned alice carol; bob (● N since block ")
    assert said.endswith(") can read it too")
    word, document = verdict(evidence)
    assert ("fail", 1, [said]) == (word, document["plan"]["differing"], document["plan"]["first"])
    words = in_words(document, [*judge(evidence), *predicted(evidence)], [], "privity run x")
    assert f"✗ {evidence.scenario.file}:5  readers (predicted)  {said}" in words


def test_a_transaction_that_not_all_have_is_unconfirmed(good: Evidence, change: Change) -> None:
    """Committed means executed on every node; one that lacks it keeps the run from passing."""
    tx = good.sent["diary"].tx.hex()
    executed = {each: height for each, height in good.chains[3].executed.items() if each != tx}
    chains = [*good.chains[:3], dataclasses.replace(good.chains[3], executed=executed)]
    assert committed_everywhere(chains, [tx])[tx] == 3
    word, document = verdict(change(chains=chains, scenario=expecting(good, Agreement("agreement", "", 2))))
    assert (
        word,
        document["transactions"]["committed"],
        document["transactions"]["submitted"],
    ) == ("unconfirmed", 1, 2)


def test_words_never_hold_a_secret(good: Evidence) -> None:
    """What is printed, and the document, name kinds and places and no value of a payload."""
    folder: RunFolder = good.folder
    leak = folder.node("dave") / "stderr.log"
    secret = next(each for each in good.secrets.all if each.kind == "text")
    leak.write_bytes(secret.raw)
    try:
        evidence = dataclasses.replace(good)
        word, document = verdict(evidence)
        lines = in_words(document, judge(evidence), [], "privity run x")
        assert word == "fail" and any("a text as raw in nodes/dave/stderr.log" in line for line in lines)
        assert secret.raw.decode() not in "\n".join([*lines, str(document), repr(secret), repr(evidence)])
    finally:
        leak.unlink()

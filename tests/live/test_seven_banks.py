"""seven-banks.yaml on mosquitto: seven voters, a follower, 503 private transactions, read as planned."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scenarios.leaks.canaries import Artefact, scan
from scenarios.model.payloads import encoded_size
from tests.live.commands import SHIPPED, Privity, Said, commits, content, matrix_readers, opened, planned

pytestmark = [pytest.mark.mosquitto, pytest.mark.slow]

# The shipped file, told to hurry: what takes 50 seconds there passes in ten.
FASTER = {
    "rate: 10/s": "rate: 55/s",
    "{at: 20s, do: send, id: syndicate": "{at: 4s, do: send, id: syndicate",
    "{at: 40s, do: send, id: exposure": "{at: 5s, do: send, id: exposure",
    "tx: loan,      at: 10s": "tx: loan,      at: 9s",
}


@pytest.fixture(scope="module")
def banks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Privity, Said]]:
    """One run of it on a mosquitto of its own."""
    privity = Privity(tmp_path_factory.mktemp("banks"))
    text = (SHIPPED / "seven-banks.yaml").read_text(encoding="utf-8")
    for shipped, faster in FASTER.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, faster)
    file = privity.file(text, "seven-banks.yaml")
    yield privity, privity("run", file, "--broker", "mosquitto", "--json", limit_s=150)
    privity.kill_all()


@pytest.fixture(scope="module")
def document(banks: tuple[Privity, Said]) -> dict[str, Any]:
    return banks[1].json


def test_seven_banks_pass(banks: tuple[Privity, Said], document: dict[str, Any]) -> None:
    """Every expectation of the file holds."""
    assert {"holds"} == {each["result"] for each in document["expectations"]}, document["expectations"]
    assert (banks[1].code, document["verdict"]) == (0, "pass")
    banks[0].nothing_is_left(banks[0].port)


def test_all_eight_nodes_have_one_chain(document: dict[str, Any]) -> None:
    """Seven voters and the follower end at one height, with one head and one state root."""
    assert [f"bank-{letter}" for letter in "abcdefg"] + ["regulator"] == list(document["nodes"])
    heads = {(node["height"], node["head"], node["state_root"]) for node in document["nodes"].values()}
    assert len(heads) == 1


def test_every_transaction_is_committed_exactly_once(
    banks: tuple[Privity, Said], document: dict[str, Any]
) -> None:
    """503 were planned, submitted and committed, and each is in one block of every node's journal."""
    expected = {"planned": 503, "submitted": 503, "committed": 503, "refused": 0}
    assert expected == document["transactions"]
    once = dict.fromkeys(planned(banks[0].run), 1)
    assert len(once) == 503
    assert dict.fromkeys(document["nodes"], once) == commits(banks[0].run)


def test_the_load_is_what_was_asked_for(banks: tuple[Privity, Said]) -> None:
    """500 payloads of 512 bytes, all padded alike, for one to three other banks each, from every bank."""
    privity = banks[0]
    plan = {name: readers for name, readers in planned(privity.run).items() if name.startswith("traffic")}
    assert len(plan) == 500
    assert {2, 3, 4} == set(map(len, plan.values()))
    assert set.union(*plan.values()) == {f"bank-{letter}" for letter in "abcdefg"}
    events = map(json.loads, privity.run.operator_events.read_text().splitlines())
    padded = [event["bytes"] for event in events if event["ev"] == "tx.submit" and "traffic" in event["id"]]
    assert padded == [1024] * 500  # With salts and canary 512 bytes no longer fit into the bucket of 512.
    bank = sorted(plan["traffic-0001"])[0]
    assert encoded_size(content(privity.run, "traffic-0001", bank)) == 512


def test_who_sees_is_the_drawn_plan(banks: tuple[Privity, Said], document: dict[str, Any]) -> None:
    """For each of the 503: who-sees and the keys tried here name whom the plan names, and nobody else."""
    privity = banks[0]
    plan = planned(privity.run)
    assert plan == matrix_readers(privity("who-sees", "--json").json)
    assert plan == opened(privity.run)[0]
    assert document["plan"] == {"transactions": 503, "differing": 0, "first": []}


def test_nothing_leaked(banks: tuple[Privity, Said], document: dict[str, Any], tmp_path: Path) -> None:
    """No secret of any of them is where it may not be; looked for again with secrets found out anew."""
    assert document["canaries"]["found"] == 0 and document["canaries"]["searched"] > 5 * 503
    privity, said = banks
    (tmp_path / "said").write_text(said.text)
    folder = privity.run
    everything = [Artefact(folder.node(name), name) for name in folder.node_names()]
    everything += [Artefact(path, None) for path in (tmp_path, folder.broker, folder.events, folder.verdict)]
    found = scan(opened(folder)[1].all, everything, root=folder.path)
    assert found.found == ()
    assert document["canaries"]["searched"] == found.searched

"""What playing and judging a run costs grows with its transactions, not with their square."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenarios.judging import Evidence, plan_differences, predicted
from scenarios.model.scenario import Load
from tests.scenarios.virtual_evidence import evidence_of

COUNT = 60
FILE = f"""privity: 1
name: many
network: {{transport: memory}}
consensus: {{block_every: 100ms}}
parties: {{ann: {{}}, bob: {{}}, cyd: {{}}, dan: {{}}}}
steps:
  - {{at: 0s, do: load, id: rec, as: ann, to: [bob], rate: 100/s, count: {COUNT}, keep: 2 blocks,
     data: {{n: "1..9"}}}}
  - {{at: 3s, do: send, id: last, as: ann, to: [bob], data: {{n: 1}}}}
  - {{at: 4s, do: purge, tx: last, as: ann, reason: done}}
expect:
  - {{check: agreement}}
"""


@dataclasses.dataclass
class Synced:
    """How many times the disk was waited for."""

    times: int = 0


@pytest.fixture(scope="module")
def synced() -> Synced:
    return Synced()


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory, synced: Synced) -> Iterator[Evidence]:
    sync = os.fdatasync

    def counted(descriptor: int) -> None:
        synced.times += 1
        sync(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fdatasync", counted)
        found = evidence_of(tmp_path_factory.mktemp("many"), FILE)
    yield found


class Counted(dict[str, int]):
    """A chain's executed transactions that count how often each is asked for."""

    def __init__(self, executed: dict[str, int]) -> None:
        super().__init__(executed)
        self.asked: Counter[str] = Counter()

    def get(self, tx: str, default: int | None = None) -> int | None:  # type: ignore[override]
        self.asked[tx] += 1
        return super().get(tx, default)


def test_each_transaction_is_looked_up_a_bounded_number_of_times(evidence: Evidence) -> None:
    """Judging the plan asks each chain for a transaction a few times, however many there are."""
    counted = [dataclasses.replace(each, executed=Counted(each.executed)) for each in evidence.chains]
    other = dataclasses.replace(evidence, chains=counted)
    assert predicted(other) == predicted(evidence) == [] == plan_differences(other)
    for chain in counted:
        assert isinstance(chain.executed, Counted)
        assert len(chain.executed.asked) == COUNT + 1, "kept for some blocks, or purged: all were asked for"
        assert max(chain.executed.asked.values()) <= 4


def test_what_must_be_gone_is_told_node_by_node(evidence: Evidence) -> None:
    """Every node is far enough to have erased all; one that stopped before does not have to have."""
    everyone = frozenset(evidence.network.names)
    assert set(evidence.purged.values()) == {everyone} and len(evidence.purged) == COUNT + 1
    first, *others = evidence.chains
    begun = {height: block for height, block in first.blocks.items() if height < 3}
    behind = dataclasses.replace(evidence, chains=[dataclasses.replace(first, blocks=begun), *others])
    last = behind.sent["last"].tx
    assert behind.purged[last] == everyone - {first.node}


def test_the_ids_of_a_load_are_written_a_few_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Playing a load does not write out the ids of all its transactions again for each of them."""
    written: list[str] = []
    ids = Load.transactions.fget
    assert ids is not None

    def counted(load: Load) -> tuple[str, ...]:
        written.append(load.id)
        return tuple(ids(load))

    monkeypatch.setattr(Load, "transactions", property(counted))
    again = evidence_of(tmp_path, FILE)
    assert again.settled and 0 < len(written) < COUNT


def test_no_record_of_the_virtual_world_waits_for_a_disk(evidence: Evidence, synced: Synced) -> None:
    """A power cut there takes away what its own count says; a journal is synced as it is opened, no more."""
    assert evidence.settled and len(evidence.chains[0].blocks) > 10
    assert synced.times <= 2 * len(evidence.network.names)

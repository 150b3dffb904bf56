"""The public ledger: the same on every node, from public bytes alone, and each transaction once."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from consensus.messages import Signed
from consensus.votes import Batch, BlockVote, Commit, Prepare
from node.chain.block import NO_PARENT, BlockHeader
from node.chain.journal import BlockRecord, BodiesRecord, CertifiedRecord, Journal
from node.chain.ledger import DUPLICATE, EXECUTED, Applied, Ledger, key_of
from node.chain.store import DELIVERED, MISSING, NOT_PARTY
from node.consortium import Network
from node.envelopes.transaction import PrivateTransaction
from node.wire import AnyTransaction
from tests.node.network_of_nodes import GENESIS_MS, PARTIES, RULES, Broker, founded, ready, sealed_for

WINDOW = 5
NETWORK = founded(rules=msgspec.structs.replace(RULES, validity_window=WINDOW))


def transaction(seed: object, *, sender: str = "ann", network: Network = NETWORK) -> PrivateTransaction:
    return sealed_for(network, {"n": 1}, sender=sender, to=(), seed=seed).transaction


FIRST, SECOND, THIRD = (transaction(seed) for seed in range(3))


def apply(ledger: Ledger, *transactions: PrivateTransaction, time_ms: int | None = None) -> Applied:
    """Execute these as the next batch, a second after the last."""
    batch = Batch(
        ledger.height + 1,
        0,
        ledger.time_ms + 1000 if time_ms is None else time_ms,
        tuple(each.id for each in transactions),
    )
    return ledger.apply(batch, transactions)


def executed(*batches: Sequence[PrivateTransaction]) -> Ledger:
    ledger = Ledger(NETWORK)
    for batch in batches:
        apply(ledger, *batch)
    return ledger


def test_a_repeat_is_skipped_and_the_block_stands() -> None:
    """A transaction executed before has no effect, and takes none of the block's others with it (R24)."""
    ledger = executed([FIRST])
    applied = apply(ledger, SECOND, FIRST, THIRD)
    assert applied.outcomes == (EXECUTED, DUPLICATE, EXECUTED)
    assert applied.header.height == ledger.height == 2


def test_a_nonce_counts_once_for_its_sender() -> None:
    """The at-most-once key is sender and nonce, whatever else the transaction says."""
    core = msgspec.structs.replace(FIRST.header.core, payload_root=bytes(32))
    rewritten = msgspec.structs.replace(FIRST, header=msgspec.structs.replace(FIRST.header, core=core))
    other_sender = msgspec.structs.replace(
        FIRST,
        header=msgspec.structs.replace(FIRST.header, core=msgspec.structs.replace(core, sender="bob")),
    )
    assert rewritten.id != FIRST.id
    assert apply(executed([FIRST]), rewritten, other_sender).outcomes == (DUPLICATE, EXECUTED)


def test_a_repeat_within_one_block_is_skipped() -> None:
    """Of one key in one block the first takes effect."""
    core = msgspec.structs.replace(FIRST.header.core, payload_root=bytes(32))
    twin = msgspec.structs.replace(FIRST, header=msgspec.structs.replace(FIRST.header, core=core))
    assert apply(executed(), FIRST, twin).outcomes == (EXECUTED, DUPLICATE)


def test_a_key_is_remembered_for_the_whole_window_and_no_longer() -> None:
    """Executed at a height, a key is known until `validity_window` heights later, the last one included."""
    for idle in range(WINDOW + 2):
        ledger = executed([FIRST], *([] for _ in range(idle)))
        known = idle < WINDOW
        assert ledger.has_executed(key_of(FIRST, NETWORK)) == known, idle
        assert apply(ledger, FIRST).outcomes == ((DUPLICATE,) if known else (EXECUTED,)), idle


def test_a_window_that_reaches_as_far_as_it_may_cannot_outlive_its_key() -> None:
    """The longest validity window that nodes accept ends when the ledger still knows the key (R24)."""
    first_height, last_height = 1, 1 + WINDOW
    ledger = executed([FIRST], *([] for _ in range(last_height - first_height - 1)))
    assert ledger.height + 1 == last_height
    assert apply(ledger, FIRST).outcomes == (DUPLICATE,)


def test_the_state_root_depends_on_what_was_executed() -> None:
    """The state root changes with each key executed, with its height, and with nothing else."""
    roots = [
        executed([FIRST]).state_root,
        executed([SECOND]).state_root,
        executed([FIRST, SECOND]).state_root,
        executed([SECOND, FIRST]).state_root,
        executed([], [FIRST]).state_root,
        executed([FIRST], []).state_root,
        executed([FIRST], [SECOND]).state_root,
    ]
    assert len(set(roots)) == len(roots)
    assert executed([FIRST], [FIRST]).state_root == executed([FIRST], []).state_root


def test_the_state_root_depends_on_the_network() -> None:
    """Two networks with nothing executed have different state roots."""
    assert Ledger(NETWORK).state_root != Ledger(founded(salt=1)).state_root


def test_headers_form_a_chain() -> None:
    """Each header names the hash of the one before, the first one zeros."""
    ledger = Ledger(NETWORK)
    parent = NO_PARENT
    for batch in ([FIRST], [], [SECOND, THIRD]):
        applied = apply(ledger, *batch)
        assert applied.header.parent == parent
        assert applied.block == applied.header.hash() == ledger.head
        assert applied.header.state_root == ledger.state_root
        parent = applied.block


def test_a_header_says_what_was_ordered() -> None:
    """Batch digest, body root, proposer and time of a header are those of its batch."""
    ledger = Ledger(NETWORK)
    batch = Batch(1, 3, GENESIS_MS + 5, (FIRST.id, SECOND.id))
    header = ledger.apply(batch, [FIRST, SECOND]).header
    assert (header.height, header.proposer, header.time_ms) == (1, 3, GENESIS_MS + 5)
    assert header.batch_digest == batch.digest()
    leaves = [sha256(b"\x00" + each.id).digest() for each in (FIRST, SECOND)]
    assert header.body_root == sha256(b"\x01" + leaves[0] + leaves[1]).digest()
    assert BlockHeader.root_of((SECOND.id, FIRST.id)) != header.body_root


def test_every_field_of_a_header_is_in_its_hash() -> None:
    """A header with one field changed has another hash."""
    header = apply(Ledger(NETWORK), FIRST).header
    hashes = {header.hash()}
    for name in header.__struct_fields__:
        value = getattr(header, name)
        other = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
        hashes.add(msgspec.structs.replace(header, **{name: other}).hash())
    assert len(hashes) == 1 + len(header.__struct_fields__)


@pytest.mark.parametrize("back_ms", [1, 77, GENESIS_MS])
def test_time_never_runs_back(back_ms: int) -> None:
    """The null request says 0, a batch renewed behind a younger one is older: the parent's time counts."""
    ledger = executed([FIRST])
    before = ledger.time_ms
    header = apply(ledger, time_ms=max(0, before - back_ms)).header
    assert (header.height, header.time_ms, ledger.time_ms) == (2, before, before)


def test_only_the_next_batch_can_be_executed() -> None:
    """Heights have no gaps and none comes twice (R9)."""
    ledger = executed([FIRST])
    for height in (1, 3):
        with pytest.raises(AssertionError):
            ledger.apply(Batch(height, 0, GENESIS_MS + 9000, ()), [])


def replayed(home: Path, network: Network) -> list[tuple[bytes, bytes, bool]]:
    """The chain of a folder executed again: block hash, state root, and whether the record says the same."""
    ledger = Ledger(network)
    bodies: dict[bytes, AnyTransaction] = {}
    chain: list[tuple[bytes, bytes, bool]] = []
    with closing(Journal.open_read_only(home / "journal", network.id)) as journal:
        for _, record in journal.replay():
            if isinstance(record, BodiesRecord):
                bodies |= {each.id: each for each in record.transactions}
            elif isinstance(record, BlockRecord):
                applied = ledger.apply(record.batch, [bodies[each] for each in record.batch.requests])
                chain.append((applied.block, ledger.state_root, applied.header == record.header))
            elif isinstance(record, CertifiedRecord):
                certificate = record.certificate
                assert certificate.block == chain[certificate.sequence - 1][0]
    return chain


def test_the_chain_replays_without_a_key_or_a_payload(tmp_path: Path) -> None:
    """Executed again from public bytes, with no private key and no blob, the chain has the same
    hashes (P25).
    """
    network = founded(voters=4, followers=1)
    with ready(tmp_path, network) as world:
        for seed in range(3):
            world.settle(world.send(4, seed=seed, to=("bob", "eve")))
        head = world.heads()
    for name in network.names:
        home = world.home(name)
        shutil.rmtree(home / "blobs")
        (home / "index.sqlite").unlink()
        chain = replayed(home, Network(network.transaction))
        assert all(same for _, _, same in chain)
        assert {(len(chain), *chain[-1][:2])} == head


def test_a_private_failure_changes_no_vote_and_no_block(tmp_path: Path) -> None:
    """A node with another's wrapping key and one that gets no blobs vote and execute as all do (P25, R33)."""
    outcomes = []
    for failing in (False, True):
        with ready(tmp_path / str(failing), founded(), seed=4, broker=Broker(delay_ms=(1, 1))) as world:
            if failing:
                world.node("bob").private_view._key = PARTIES["hal"].wrapping
                world.withhold_blobs("cyd")
            world.settle(world.send(6, seed="p", to=("bob", "cyd")))
            votes = [
                (who, packet.message)
                for who, _, packet in world.said
                if isinstance(packet, Signed) and isinstance(packet.message, Prepare | Commit | BlockVote)
            ]
            outcomes.append((world.heads(), set(votes)))
            assert (world.happened["blob withheld"] > 0) == failing
            assert world.node("bob").private_view.counts[NOT_PARTY if failing else DELIVERED] == 6
            assert world.node("cyd").private_view.counts[MISSING if failing else DELIVERED] == 6
    assert outcomes[0] == outcomes[1]

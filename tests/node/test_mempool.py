"""The mempool is bounded, so that a flood costs nobody but its sender (R37)."""

from __future__ import annotations

import msgspec
import pytest

from node.canonical import encode
from node.envelopes.transaction import SLOT_BYTES, Blob
from node.mempool import Mempool, size_of
from tests.node.network_of_nodes import founded, sealed_for

NETWORK = founded()
SEALED = {
    (sender, seed): sealed_for(NETWORK, {"amount": seed}, sender=sender, to=(), seed=(sender, seed))
    for sender in ("ann", "bob", "cyd")
    for seed in range(4)
}
SIZE = size_of(SEALED["ann", 0].transaction)


def add(mempool: Mempool, sender: str, seed: int, *, needed: bool = False) -> str | None:
    sealed = SEALED[sender, seed]
    return mempool.add(sealed.transaction.id, sealed.transaction, sealed.blob, sender, needed=needed)


def holds(mempool: Mempool) -> list[tuple[str, int]]:
    return [which for which, sealed in SEALED.items() if sealed.transaction.id in mempool]


def test_it_keeps_what_it_is_given() -> None:
    """A transaction comes back with its blob, its sender and its size."""
    mempool, sealed = Mempool(), SEALED["ann", 0]
    assert add(mempool, "ann", 0) is None
    waiting = mempool.get(sealed.transaction.id)
    assert waiting is not None
    assert (waiting.transaction, waiting.blob, waiting.sender) == (
        sealed.transaction,
        encode(sealed.blob),
        "ann",
    )
    assert waiting.size == SIZE
    assert len(mempool) == 1


@pytest.mark.parametrize(
    "limits",
    [
        {"most_per_sender": 2},
        {"most_bytes_per_sender": 2 * SIZE},
    ],
)
def test_a_flood_by_one_sender_costs_nobody_else(limits: dict[str, int]) -> None:
    """Above a sender's own limit its new ones are refused, its old ones kept, and all others taken."""
    mempool = Mempool(**limits)
    assert [add(mempool, "ann", seed) for seed in range(4)] == [None, None, "over limit", "over limit"]
    assert [add(mempool, "bob", seed) for seed in range(2)] == [None, None]
    assert holds(mempool) == [("ann", 0), ("ann", 1), ("bob", 0), ("bob", 1)]


@pytest.mark.parametrize("limits", [{"most": 3}, {"most_bytes": 3 * SIZE}])
def test_the_whole_is_bounded_too(limits: dict[str, int]) -> None:
    """Above the limit of all together new ones are refused, whoever sends them."""
    mempool = Mempool(**limits)
    assert [add(mempool, "ann", 0), add(mempool, "bob", 0), add(mempool, "cyd", 0)] == [None, None, None]
    assert [add(mempool, "ann", 1), add(mempool, "bob", 1)] == ["mempool full", "mempool full"]


def test_what_a_proposal_needs_is_kept_above_every_limit() -> None:
    """What a proposal or a decision waits for is kept, or a full mempool would stop the chain."""
    mempool = Mempool(most=1, most_per_sender=1)
    assert add(mempool, "ann", 0) is None
    assert add(mempool, "ann", 1) == "mempool full"
    assert add(mempool, "ann", 1, needed=True) is None
    assert holds(mempool) == [("ann", 0), ("ann", 1)]


def test_removing_makes_room_again() -> None:
    """What was executed or expired no longer counts, in transactions and in bytes, for its sender
    and in all.
    """
    mempool = Mempool(most=2, most_bytes=2 * SIZE, most_per_sender=2, most_bytes_per_sender=2 * SIZE)
    for _ in range(5):
        assert [add(mempool, "ann", 0), add(mempool, "ann", 1)] == [None, None]
        assert add(mempool, "ann", 2) == "mempool full"
        for seed in (0, 1):
            removed = mempool.remove(SEALED["ann", seed].transaction.id)
            assert removed is not None and removed.transaction == SEALED["ann", seed].transaction
        assert len(mempool) == 0
    assert mempool.remove(SEALED["ann", 0].transaction.id) is None


def test_only_the_right_blob_completes_a_transaction() -> None:
    """A transaction that came without its blob takes the one that its header names, and keeps it."""
    mempool, sealed, other = Mempool(), SEALED["ann", 0], SEALED["ann", 1]
    identifier = sealed.transaction.id
    mempool.add(identifier, sealed.transaction, None, "ann", needed=True)

    def blob_after(blob: Blob) -> bytes | None:
        waiting = mempool.get(identifier)
        assert waiting is not None
        mempool.complete(identifier, sealed.transaction, blob)
        return waiting.blob

    assert blob_after(other.blob) is None
    assert blob_after(sealed.blob) == encode(sealed.blob)
    assert blob_after(other.blob) == encode(sealed.blob)
    stored = mempool.get(identifier)
    assert stored is not None
    stored.blob, stored.blob_stored = None, True
    assert blob_after(sealed.blob) is None


def test_size_is_a_function_of_public_bytes() -> None:
    """All nodes measure a transaction alike, with its blob, without it, and whatever the blob holds (R27)."""
    sealed = SEALED["ann", 0]
    core = sealed.transaction.header.core
    expected = len(encode(sealed.transaction)) + core.size_bucket + SLOT_BYTES * core.slot_bucket
    mempool = Mempool()
    for blob in (None, sealed.blob, Blob(b"", ())):
        mempool.add(sealed.transaction.id, sealed.transaction, blob, "ann", needed=False)
        waiting = mempool.get(sealed.transaction.id)
        assert waiting is not None and waiting.size == expected
        mempool.remove(sealed.transaction.id)


def test_a_larger_bucket_counts_for_more() -> None:
    """Size grows with the size bucket and the slot bucket that a header names."""
    transaction = SEALED["ann", 0].transaction
    core = transaction.header.core
    for change, more in (
        ({"size_bucket": core.size_bucket * 2}, core.size_bucket),
        ({"slot_bucket": 8}, 320),
    ):
        header = msgspec.structs.replace(transaction.header, core=msgspec.structs.replace(core, **change))
        larger = msgspec.structs.replace(transaction, header=header)
        grown = len(encode(larger)) - len(encode(transaction))
        assert size_of(larger) == SIZE + more + grown


def test_the_consortium_is_as_large_as_its_bytes() -> None:
    """The transaction of block 1 has no blob: its size is that of its encoding, its window height 1."""
    assert size_of(NETWORK.transaction) == len(encode(NETWORK.transaction))
    assert Mempool.window_of(NETWORK.transaction) == (1, 1)
    assert Mempool.window_of(SEALED["ann", 0].transaction) == (1, 40)

"""Whatever bytes a peer sends, a decoder gives a value or a reason, and a node goes on (R1, R29).

`PRIVITY_FUZZ=100000` tries that many for each decoder; `scripts/fuzz` does so.
"""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.aggregation.boxes import Released
from node.canonical import DecodeError, decode, encode
from node.chain.round_deeds import RELEASE_LIMIT
from node.delivery.packets import RECEIPTS_LIMIT, SignedPurgedHere, SignedReceipt
from node.delivery.receipts import Receipts
from node.envelopes.disclosure import PACKAGE_FIELD, package_in
from node.envelopes.object_write import written_by
from node.envelopes.payload import Payload
from node.envelopes.rule import rule_leaf, rule_of
from node.envelopes.sender_proof import decode_proof
from node.envelopes.transaction import decode_blob
from node.seals.share_proof import decode_share_proof
from node.state_check.packets import decode_message
from node.wire import decode_frame, decode_packet
from tests.node.network_of_nodes import ready
from tests.node.peer_bytes import (
    BLOBS,
    CONTENTS,
    FRAMES,
    NETWORK,
    PACKAGES,
    PACKETS,
    PROOFS,
    PURGED_HERE,
    RECEIPT,
    RECEIPTS,
    RELEASED,
    RESERVED,
    SHARE_PROOF_BYTES,
    STATE_MESSAGES,
    TRANSACTIONS,
    content_of,
    damaged,
    parse_content,
)
from tests.node.small_consortium import decode_transaction


def decode_package(data: bytes) -> object:
    """The package that a payload with these bytes in its place carries."""
    return package_in({PACKAGE_FIELD: data})


TRIES = int(os.environ.get("PRIVITY_FUZZ", "1500"))
DECODERS: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
    "packet": (decode_packet, PACKETS),
    "frame": (decode_frame, FRAMES),
    "blob": (decode_blob, BLOBS),
    "transaction": (decode_transaction, TRANSACTIONS),
    "payload": (parse_content, CONTENTS),
    "state message": (decode_message, STATE_MESSAGES),
    "package": (decode_package, PACKAGES),
    "receipt": (lambda data: decode(SignedReceipt, data, RECEIPTS_LIMIT), [encode(RECEIPT)]),
    "receipts": (lambda data: decode(Receipts, data, RECEIPTS_LIMIT), RECEIPTS),
    "purged here": (lambda data: decode(SignedPurgedHere, data, RECEIPTS_LIMIT), [encode(PURGED_HERE)]),
    "sender proof": (decode_proof, PROOFS),
    "share proof": (decode_share_proof, SHARE_PROOF_BYTES),
    "release": (lambda data: decode(Released, data, RELEASE_LIMIT), RELEASED),
}


def encoded(value: object) -> bytes:
    """The bytes of what was decoded."""
    return content_of(value) if isinstance(value, Payload) else encode(value)


@pytest.mark.parametrize("name", DECODERS)
def test_what_is_right_decodes_to_the_same_bytes(name: str) -> None:
    """The corpus that is damaged below is right to begin with."""
    decode, right = DECODERS[name]
    for data in right:
        assert encoded(decode(data)) == data


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_raises_decode_error_and_nothing_else(name: str) -> None:
    """And it does not keep what it was given: memory is what it was before."""
    decode, right = DECODERS[name]
    refused = taken = 0

    @settings(max_examples=TRIES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(damaged(right))
    def tried(data: bytes) -> None:
        nonlocal refused, taken
        try:
            value = decode(data)
        except DecodeError:
            refused += 1
        else:
            taken += 1
            assert encoded(value) == data

    tried()
    assert refused > TRIES // 3
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for data in right * 200:
        try:
            decode(data[:-1] + b"\xc1")
        except DecodeError:
            refused += 1
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 200_000


def test_leaves_with_a_meaning_are_read_or_refused() -> None:
    """Whatever a sender puts where a write, a rule or a package belongs: a value, or DecodeError."""
    read = 0

    @settings(max_examples=TRIES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(damaged(RESERVED))
    def tried(data: bytes) -> None:
        nonlocal read
        with suppress(DecodeError):
            payload = parse_content(data)
            read += 1
            rule_of(rule_leaf(payload.leaves))
            for look in (written_by, lambda opened: package_in(opened.fields())):
                with suppress(DecodeError):
                    look(payload)

    tried()
    assert read > TRIES // 100


def test_a_node_takes_any_bytes_and_goes_on(tmp_path: Path) -> None:
    """Each is counted under a reason or does no harm; afterwards the network orders as before."""
    with ready(tmp_path, NETWORK) as world:

        @settings(
            max_examples=min(TRIES, 20_000),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(damaged(PACKETS), max_size=3))
        def tried(packets: list[bytes]) -> None:
            for data in packets:
                world.hand("ann", data)

        tried()
        assert sum(world.reasons("ann").values()) > TRIES // 3
        world.settle(world.send(2, seed="after the noise"))

"""No decoder that a peer can reach is left out of `scripts/fuzz`, and no kind of packet or act."""

from __future__ import annotations

import ast
import types
import typing
from pathlib import Path
from typing import Any

import pytest

from consensus.messages import ReplicaMessage, Signed
from node.chain.act import ActTransaction
from node.chain.deeds import Deed
from node.wire import Packet, TransactionPacket, decode_packet
from tests.node.peer_bytes import PACKETS
from tests.node.test_peer_bytes import DECODERS

NODE = Path(__file__).parents[2] / "node"
# What each call of the strict decoder decodes: by file and type the entry of DECODERS that tries it.
TRIED = {
    ("wire.py", "_PACKET"): "packet",
    ("wire.py", "_FRAME"): "frame",
    ("envelopes/transaction.py", "Blob"): "blob",
    ("envelopes/payload.py", "_Content"): "payload",
    ("envelopes/disclosure.py", "Package"): "package",
    ("envelopes/sender_proof.py", "SenderProof"): "sender proof",
    ("seals/share_proof.py", "ShareProof"): "share proof",
    ("delivery/receipts.py", "SignedReceipt"): "receipt",
    ("delivery/receipts.py", "Receipts"): "receipts",
    ("erasing/purging.py", "SignedPurgedHere"): "purged here",
    ("aggregation/boxes.py", "Released"): "release",
    ("state_check/packets.py", "_MESSAGE"): "state message",
}
# What no peer can hand to a node, and why.
OWN = {
    ("chain/journal.py", "_DECODER"): "this node's own journal, record by record under a checksum",
    ("delivery/shelf.py", "BlobDelivery"): "what this node put on its own disk, after it came as a packet",
    ("delivery/kept_receipts.py", "Receipts"): "receipts on its own disk, which came as packets",
    ("consortium.py", "ConsortiumTransaction"): "the genesis file, which the operator gives",
    ("disclosure/breaches.py", "BreachProof"): "what this node proved and wrote itself",
}


def decoding(folder: Path) -> set[tuple[str, str]]:
    """Every place that decodes with node.canonical: the file, and the type as it is written there."""
    found = set()
    for path in sorted(folder.rglob("*.py")):
        if path.name == "canonical.py":
            continue
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "decode":
                found.add((path.relative_to(folder).as_posix(), ast.unparse(call.args[0])))
    return found


def left_out(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those that neither the fuzz list tries nor a reason excuses."""
    return {place for place in found if place not in TRIED and place not in OWN}


def test_every_decoder_is_tried_or_is_out_of_reach() -> None:
    """P08: a new decoder gets an entry in DECODERS, or a reason here; and no entry is about nothing."""
    found = decoding(NODE)
    assert left_out(found) == set()
    assert {*TRIED, *OWN} == found
    assert set(TRIED.values()) <= set(DECODERS)


def test_a_decoder_that_is_missing_is_noticed(tmp_path: Path) -> None:
    """The check above can fail: a file with one more decoder is told by its name and type."""
    (tmp_path / "gossip.py").write_text("def take(data):\n    return decode(Rumour, data, 99)\n")
    assert left_out(decoding(tmp_path)) == {("gossip.py", "Rumour")}


def kinds_of(union: Any) -> set[type]:
    """All classes of a union, those of unions in it too."""
    if isinstance(union, types.UnionType) or typing.get_origin(union) is typing.Union:
        return {kind for part in typing.get_args(union) for kind in kinds_of(part)}
    return {union}


def samples() -> list[Any]:
    return [decode_packet(data) for data in PACKETS]


@pytest.mark.parametrize(
    ("union", "there"),
    [
        (Packet, lambda: {type(each) for each in samples()}),
        (ReplicaMessage, lambda: {type(each.message) for each in samples() if isinstance(each, Signed)}),
        (
            Deed,
            lambda: {
                type(each.transaction.act.deed)
                for each in samples()
                if isinstance(each, TransactionPacket) and isinstance(each.transaction, ActTransaction)
            },
        ),
    ],
    ids=["packets", "messages", "acts"],
)
def test_each_kind_is_among_what_is_damaged(union: Any, there: Any) -> None:
    """A kind of packet, of signed message or of act that nobody damages would be tried by nobody."""
    assert kinds_of(union) - there() == set()

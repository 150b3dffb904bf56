"""Bytes as a malicious peer would send them: right ones with small damage, spliced, cut, nested, noise."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from consensus.certificates import CommitCertificate, Decided
from consensus.evidence import Evidence
from consensus.messages import Fetch, FetchBatch, FetchedBatch, FetchRequests, Proposal, Status
from consensus.votes import Batch, BlockVote, Commit, Prepare, PrePrepare
from node.aggregation.boxes import Released
from node.canonical import encode
from node.chain.act import VERSION, Act, ActTransaction
from node.chain.block import BlockHeader
from node.chain.deeds import (
    Challenge,
    Consent,
    Deed,
    Disclosure,
    Open,
    Purge,
    PurgeReceipt,
    Release,
    Request,
    Revocation,
)
from node.chain.round_deeds import (
    BOX_BYTES,
    RoundBlame,
    RoundDeal,
    RoundDeed,
    RoundEnd,
    RoundFix,
    RoundJoin,
    RoundRelease,
    RoundResult,
    RoundStart,
    RoundValue,
)
from node.delivery.packets import (
    BlobAnswer,
    BlobDelivery,
    BlobRequest,
    PurgedHere,
    PurgeReceiptTaken,
    Receipt,
    ReceiptsUnderKey,
    SealedPurgeReceipt,
    SealedReceipt,
    SignedBlobRequest,
    SignedPurgedHere,
    SignedReceipt,
)
from node.envelopes.disclosure import PACKAGE_FIELD, pack
from node.envelopes.object_write import writing
from node.envelopes.payload import SIZE_BUCKETS, Payload, size_bucket
from node.envelopes.rule import FORBIDDEN, FREE, with_rule
from node.envelopes.sender_proof import SenderProof, encode_proof
from node.seals.share_proof import ShareProof, Shown, encode_share_proof
from node.state_check.packets import StateEnvelope, StateRoots, StateWrite, StateWrites
from node.wire import (
    CommittedBatch,
    EvidencePacket,
    Frame,
    Inclusion,
    Inquiry,
    ShareProofPacket,
    SignedInquiry,
    TransactionPacket,
)
from tests.consensus.alone import R1, batch_of, block_certificate
from tests.consensus.views import new_view, prepared, view_change
from tests.consensus.wire import signed
from tests.node.network_of_nodes import founded, sealed_for

LENGTH_BYTES = 4


def content_of(payload: Payload) -> bytes:
    """What stands in a plaintext between its length and its padding."""
    plaintext = payload.plaintext()
    return plaintext[LENGTH_BYTES : LENGTH_BYTES + int.from_bytes(plaintext[:LENGTH_BYTES], "big")]


def parse_content(content: bytes) -> Payload:
    """The payload of a content, framed as a sender frames it, so that damage reaches what is inside."""
    framed = len(content).to_bytes(LENGTH_BYTES, "big") + content
    return Payload.parse(framed.ljust(size_bucket(len(framed)) or SIZE_BUCKETS[-1], b"\0"))


DIGEST, HASH, SIGNATURE = b"\7" * 32, b"\6" * 32, b"\5" * 64
NETWORK = founded(voters=4)
SEALED = sealed_for(NETWORK, {"amount": 7})
BATCH = Batch(3, 0, 1000, (DIGEST, SEALED.transaction.id))
CHANGE = view_change(2, 1, prepared(batch_of(R1)), stable=None)
BODY = TransactionPacket(SEALED.transaction, SEALED.blob)
CERTIFICATE = CommitCertificate(0, 0, 3, BATCH.digest(), ((0, SIGNATURE), (1, SIGNATURE), (2, SIGNATURE)))
HEADER = BlockHeader(1, 0, 3, DIGEST, 1000, 0, DIGEST, DIGEST, DIGEST)
FOUR = ("ann", "bob", "cyd", "dan")
ROUND_DEEDS: tuple[RoundDeed, ...] = (
    RoundStart(FOUR, "exposure", 4, DIGEST),
    RoundJoin(DIGEST, DIGEST, b"\x09" * 32),
    RoundFix(DIGEST, 1, FOUR),
    RoundDeal(DIGEST, DIGEST, ((DIGEST, DIGEST),) * 4, (bytes(BOX_BYTES),) * 4),
    RoundValue(DIGEST, 2**64 - 1, DIGEST),
    RoundRelease(DIGEST, (bytes(80),) * 5, bytes(99)),
    RoundResult(DIGEST, DIGEST, DIGEST),
    RoundEnd(DIGEST, 3),
    RoundBlame(DIGEST, "bob", DIGEST, DIGEST),
)
RELEASED = [encode(Released((("ann", DIGEST), ("bob", DIGEST)), (("cyd", DIGEST),)))]


# Of every other kind of act.
DEEDS: tuple[Deed, ...] = (
    Disclosure(DIGEST, DIGEST, ("bob", "cyd"), 2, False, "as agreed", DIGEST),
    Request(DIGEST, "bob", "audit"),
    Open("tender-close"),
    Release(DIGEST, (bytes(96),) * 3),
    Challenge(DIGEST, "bob"),
    Consent(DIGEST, ("bob",), (), 9, "as agreed"),
    Revocation(DIGEST, (), (DIGEST,), "as agreed"),
    Purge(DIGEST, "asked for by its subject"),
    PurgeReceipt((HASH, DIGEST)),
)


def acted(deed: Deed) -> TransactionPacket:
    """The packet of an act."""
    act = Act(NETWORK.id, VERSION, "ann", bytes(16), NETWORK.policy_hash, 1, 9, deed)
    return TransactionPacket(ActTransaction(act, SIGNATURE), None)


SHOWN = Shown(1, DIGEST, bytes(16))
SHARE_PROOFS = [
    ShareProof(SEALED.transaction, acted(Release(DIGEST, (bytes(96),))).transaction, (), (), (SHOWN,)),
    ShareProof(SEALED.transaction, None, SEALED.blob.slots, (bytes(96),) * 2, (SHOWN,)),
    ShareProof(SEALED.transaction, None, (), (), (SHOWN, Shown(2, HASH, bytes(16)))),
]
PACKETS: list[bytes] = [
    encode(packet)
    for packet in (
        *(signed(kind(0, 1, 2, DIGEST, 1)) for kind in (PrePrepare, Prepare, Commit)),
        signed(BlockVote(0, 2, DIGEST, 1)),
        signed(Status(0, 1, 2, DIGEST, DIGEST, bytes(8), 1)),
        signed(Fetch(0, 2, 1)),
        signed(FetchRequests(0, (DIGEST, DIGEST), 1)),
        signed(FetchBatch(0, 2, DIGEST, 1)),
        signed(CHANGE),
        new_view(1, [view_change(0, 1), CHANGE, view_change(3, 1)]),
        Proposal(PrePrepare(0, 1, 3, DIGEST, 1), SIGNATURE, BATCH),
        FetchedBatch(BATCH),
        BODY,
        CommittedBatch(Decided(BATCH, CERTIFICATE, block_certificate(3, DIGEST, (0, 1, 2)), True), (BODY,)),
        SignedInquiry(Inquiry(1, bytes(8), bytes(8), (DIGEST,)), SIGNATURE),
        Inclusion(BATCH, CERTIFICATE, HEADER, block_certificate(3, DIGEST, (0, 1, 2))),
        BlobDelivery(SEALED.transaction, SEALED.blob, bytes(8), SIGNATURE),
        SealedReceipt(0, bytes(150)),
        SealedPurgeReceipt(bytes(150)),
        PurgeReceiptTaken(DIGEST),
        ReceiptsUnderKey(DIGEST, bytes(16), bytes(120)),
        SignedBlobRequest(BlobRequest(1, 1_700_000_000_000, (DIGEST, SEALED.transaction.id)), SIGNATURE),
        BlobAnswer(SEALED.transaction, SEALED.blob, ReceiptsUnderKey(DIGEST, bytes(16), bytes(120))),
        StateEnvelope(SEALED.transaction, SEALED.blob),
        EvidencePacket(
            Evidence("E1", 1, 1, 2, *(signed(Prepare(0, 1, 2, each, 1)) for each in (DIGEST, HASH)))
        ),
        EvidencePacket(Evidence("E3", 2, 1, 0, signed(CHANGE), None)),
        *map(ShareProofPacket, SHARE_PROOFS),
        *map(acted, (*ROUND_DEEDS, *DEEDS)),
    )
]
STATE_MESSAGES = [
    encode(StateRoots(20, bytes(16), 0, 20, (DIGEST,))),
    encode(StateRoots(20, bytes(16), 0, 3, (DIGEST,) * 3)),
    encode(StateWrites(20, 7, (StateWrite(0, DIGEST, bytes(16)), StateWrite(3, DIGEST, bytes(16))), (1, 2))),
]
FRAMES = [encode(Frame(1, 9, tuple(PACKETS[:3]))), encode(Frame(1, 9, ()))]
BLOBS = [encode(SEALED.blob)]
TRANSACTIONS = [encode(SEALED.transaction)]
# What only a malicious sender can hand to a reader: the content under the encryption, without its frame.
CONTENTS = [
    content_of(Payload.build(fields, lambda size: (bytes(range(7)) * size)[:size]))
    for fields in ({"amount": 7}, {"a": [1, 2, {"b": None, "c": b"x"}], "d": {"e": 1.5, "f": "text"}})
]
# What only a malicious reader can hand on, or show to a judge.
OPENED_PAYLOAD = Payload.build(
    with_rule({"amount": 7, "note": "text"}, FREE), lambda size: (bytes(range(11)) * size)[:size]
)
PACKAGES = [
    encode(
        pack(
            OPENED_PAYLOAD,
            SEALED.transaction.header,
            discloser="ann",
            receivers=("bob",),
            nonce=bytes(16),
            fields=fields,
        )
    )
    for fields in (["amount"], None)
]
RECEIPT = SignedReceipt(Receipt(2, DIGEST), SIGNATURE)
PURGED_HERE = SignedPurgedHere(PurgedHere(2, DIGEST), SIGNATURE)
RECEIPTS = [encode((RECEIPT, RECEIPT)), encode(())]
PROOFS = [
    encode_proof(SenderProof(SEALED.transaction, SEALED.blob, SEALED.content_key, reader))
    for reader in (None, DIGEST)
]
SHARE_PROOF_BYTES = [encode_share_proof(each) for each in SHARE_PROOFS]
# Leaves that mean something to Privity itself, beside those of a user.
RESERVED = [
    content_of(Payload.build({"amount": 7} | fields, lambda size: (bytes(range(13)) * size)[:size]))
    for fields in (writing("loan-17", 2), with_rule({}, FORBIDDEN), {PACKAGE_FIELD: PACKAGES[0]})
]
# What MessagePack can promise and not keep: lengths without end, nesting, types that stand nowhere here.
PROMISES = [
    b"\xdd\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\x91" * 64,
    b"\xc1",
    b"\xc7\0\1",
    b"\xcf" + b"\xff" * 8,
]


@st.composite
def damaged(draw: Any, right: list[bytes]) -> bytes:
    """One of these encodings with up to four small damages, or bytes of no meaning."""
    data = bytearray(draw(st.sampled_from(right)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        kind = draw(st.integers(0, 6))
        if kind == 0 and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == 1 and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif kind == 4:
            other = draw(st.sampled_from(right))
            start = draw(st.integers(0, len(other) - 1))
            data[at:] = other[start:]
        elif kind == 5:
            data[at : at + 1] = draw(st.sampled_from(PROMISES))
        else:
            return draw(st.binary(max_size=200))
    return bytes(data)

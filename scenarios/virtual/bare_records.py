"""What a bare host writes down, and which of it is needed still."""

from __future__ import annotations

from collections.abc import Container, Iterable

import msgspec

from consensus.certificates import BlockCertificate, CommitCertificate
from consensus.output import (
    EvidenceRecord,
    HaltedRecord,
    LostDiskRecord,
    NewViewRecord,
    PreparedRecord,
    ProposalRecord,
    Record,
    ViewChangeRecord,
    VoteRecord,
)
from consensus.votes import Batch, BlockVote, Counter, Digest, Request, encode

# The height of what is about no height, or may be needed beyond it.
ALWAYS = 1 << 62


class BareBodies(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=4):
    """The requests that a proposal names, recorded before the vote for it (R7)."""

    requests: tuple[Request, ...]


class BareBlock(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=5):
    """An executed batch with its place in the chain."""

    block: Digest
    batch: Batch
    certificate: CommitCertificate


class BareCertified(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=6):
    """The block certificate of a block recorded before."""

    certificate: BlockCertificate


class BareBase(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=12):
    """Where the journal begins, once older blocks are gone."""

    height: Counter
    block: Digest
    time_ms: Counter


BareRecord = Record | BareBodies | BareBlock | BareCertified | BareBase
decode_record = msgspec.msgpack.Decoder(BareRecord).decode


def height_of(record: BareRecord) -> int:
    """The height after whose certificate a record is needed no more, `ALWAYS` if that is not so simple."""
    kind = type(record)
    if kind is VoteRecord:
        return record.vote.sequence  # type: ignore[union-attr]
    if kind is PreparedRecord or kind is BareCertified:
        return record.certificate.sequence  # type: ignore[union-attr]
    if kind is ProposalRecord:
        return record.proposal.pre_prepare.sequence  # type: ignore[union-attr]
    if kind is BareBlock:
        return record.batch.sequence  # type: ignore[union-attr]
    return ALWAYS


def still_needed(records: list[Record], low: int, open_heights: Container[int]) -> list[Record]:
    """What the core wants to have back, in the order of the journal.

    `low` is the height of the last stable checkpoint; blocks at `open_heights` have no certificate yet.
    """
    once = {id(record) for record in _latest(records)}

    def needed(record: Record) -> bool:
        if isinstance(record, VoteRecord):
            vote = record.vote
            return vote.sequence > low or (isinstance(vote, BlockVote) and vote.sequence in open_heights)
        if isinstance(record, ProposalRecord):
            return record.proposal.pre_prepare.sequence > low
        if isinstance(record, PreparedRecord):
            return record.certificate.sequence > low
        return isinstance(record, HaltedRecord | EvidenceRecord) or id(record) in once

    return [record for record in records if needed(record)]


def _latest(records: list[Record]) -> list[Record]:
    """Of what replaces what came before it, the last ones."""
    changes = [record for record in records if isinstance(record, ViewChangeRecord)][-2:]
    views = [record for record in records if isinstance(record, NewViewRecord)][-1:]
    lost = [record for record in records if isinstance(record, LostDiskRecord)][-1:]
    return [*changes, *views, *lost]


def without_old(
    bodies: Iterable[bytes], about: Iterable[int], floor: int, wanted: Container[bytes]
) -> list[tuple[bytes, int]]:
    """A journal, each record with its height, without what is about heights up to a floor, and its old base.

    Most records are about one height, and go unread; the others are few. Of the requests only those `wanted`
    are kept.
    """
    entries: list[tuple[bytes, int, Record | None]] = []
    for body, height in zip(bodies, about, strict=True):
        if height != ALWAYS:
            if height > floor:
                entries.append((body, height, None))
            continue
        record = decode_record(body)
        if isinstance(record, BareBodies):
            requests = tuple(request for request in record.requests if request.id in wanted)
            if requests:
                entries.append((encode(BareBodies(requests)), ALWAYS, None))
        elif not isinstance(record, BareBase | BareBlock | BareCertified):
            entries.append((body, ALWAYS, record))
    own = [record for _, _, record in entries if record is not None]
    kept = {id(record) for record in still_needed(own, floor, ())}
    return [(body, height) for body, height, record in entries if record is None or id(record) in kept]

"""What the broker had in its hands: the ciphertexts in the recorder's capture, and since when."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from node.canonical import DecodeError
from node.delivery.packets import BlobAnswer, BlobDelivery
from node.envelopes.transaction import Blob, PrivateTransaction, check_blob
from node.run_reading import RunReading
from node.wire import CommittedBatch, TransactionPacket, decode_frame, decode_packet
from scenarios.knowledge.moments import At
from scenarios.processes.capture import read_capture, summarize

# A packet is a MessagePack array whose first element is its kind; only these carry blobs.
_TRANSACTION, _COMMITTED, _DELIVERY, _ANSWER = 3, 4, 20, 24


@dataclass(slots=True)
class BrokerView:
    """`carried` maps the id of each transaction whose ciphertext passed to the first time it did.

    `blobs` has the ciphertexts that were asked for. Times are in ms since genesis. `complete` is False when
    the recorder missed something, or there was none: then the broker may hold more; `truncated` when the
    capture had grown too large.
    """

    carried: dict[bytes, int] = field(default_factory=dict)
    blobs: dict[bytes, Blob] = field(default_factory=dict)
    recorded: bool = False
    complete: bool = False
    truncated: bool = False


def read_broker(capture: Path, offset_ms: int = 0, blobs_of: Container[bytes] = ()) -> BrokerView:
    """Read a capture. `offset_ms` is what its times lack to count from genesis.

    `blobs_of` are the ids of the transactions whose ciphertext is wanted too.
    """
    view = BrokerView()
    if not capture.exists():
        return view
    view.recorded = True
    for t_ms, transaction, blob in carried_blobs(capture, offset_ms):
        identifier = transaction.id
        view.carried.setdefault(identifier, t_ms)
        if identifier in blobs_of:
            view.blobs.setdefault(identifier, blob)
    summary = summarize(capture)
    view.truncated = summary.truncated
    view.complete = summary.gaps == 0 and not summary.truncated
    return view


def carried_blobs(capture: Path, offset_ms: int = 0) -> Iterator[tuple[int, PrivateTransaction, Blob]]:
    """Every ciphertext that passed and is the one its header speaks of, and when; times as in `read_broker`.

    Nothing if there is no capture. The same one comes as often as it passed.
    """
    if not capture.exists():
        return
    for captured in read_capture(capture):
        for packet in _transactions(captured.payload):
            transaction, blob = packet.transaction, packet.blob
            if blob is None or not isinstance(transaction, PrivateTransaction):
                continue
            if check_blob(transaction.header, blob) is None:
                yield captured.t_ms + offset_ms, transaction, blob


def _transactions(frame: bytes) -> Iterator[TransactionPacket]:
    """What of a frame carries transactions. What a stranger published may be anything, and is passed over."""
    try:
        packets = decode_frame(frame).packets
    except DecodeError:
        return
    for data in packets:
        if len(data) < 2 or data[1] not in (_TRANSACTION, _COMMITTED, _DELIVERY, _ANSWER):
            continue
        try:
            packet = decode_packet(data)
        except DecodeError:
            continue
        if isinstance(packet, TransactionPacket):
            yield packet
        elif isinstance(packet, CommittedBatch):
            yield from packet.transactions
        elif isinstance(packet, BlobDelivery | BlobAnswer):
            yield TransactionPacket(packet.transaction, packet.blob)


def capture_offset_ms(reading: RunReading) -> int:
    """What the times of the capture lack to count from the genesis: run.json says when it began."""
    created_ms = reading.network.created_ms
    return int(reading.run.get("capture_ms", created_ms)) - created_ms


def until_ms(reading: RunReading, at: At) -> int | None:
    """The broker knows no heights: a block's moment is when the last node had executed it."""
    if at.height is None:
        return at.t_ms
    times = [
        holding.t
        for node in reading.nodes().values()
        for holding in node.holdings
        if holding.height <= at.height
    ]
    return max(times, default=0)

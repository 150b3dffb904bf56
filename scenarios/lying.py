"""A sender that tells two tales: what the operator's client of that party does while the fault is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.delivery.packets import BlobDelivery, delivery_bytes
from node.envelopes.envelope import Sealed
from node.envelopes.rule import with_rule
from node.faults.two_tales import TwoTales, other_tale, tell_two_tales
from node.topics import Topics
from node.wire import TransactionPacket, encode
from scenarios.model.payloads import CANARY_FIELD
from scenarios.model.plan import PlannedSend
from scenarios.model.tales import lie_about

if TYPE_CHECKING:
    from scenarios.operating import Operator


def lie(run: Operator, send: PlannedSend, honest: Sealed) -> Sealed:
    """Seal two contents with the sender's real keys, and hand the other one to whom it is meant for.

    Gives what is to be ordered. What the two tales are made of is searched for like every secret.
    """
    keys = run.keys[send.sender]
    fields = with_rule(other_tale(dict(send.fields)), send.redisclose) | {CANARY_FIELD: run.entropy(16)}
    whom = [run.keys[name].wrapping.public for name in send.deceived]
    tales = tell_two_tales(honest, fields, whom, keys.signing, run.entropy)
    run.secrets.add_sealed(tales.other, frozenset((send.sender, *send.deceived)))
    run.client.send_all(_handed_over(run, send, tales))
    fault = lie_about(send.sender, send.at_ms, send.readers, run.scenario.faults)
    assert fault is not None, "the plan says so"
    run.timeline.lied(fault.id)
    return tales.told


def _handed_over(run: Operator, send: PlannedSend, tales: TwoTales) -> list[tuple[str, bytes]]:
    """Topic and packet of the other content for each of the deceived."""
    network, topics = run.network, Topics(run.network.id)
    packet = encode(TransactionPacket(tales.other.transaction, tales.other.blob))
    if network.off_chain:
        inbox = run.client.inbox
        wanted = delivery_bytes(network.id, tales.other.transaction.id, inbox)
        signature = run.keys[send.sender].signing.sign(wanted)
        packet = encode(BlobDelivery(tales.other.transaction, tales.other.blob, inbox, signature))
    places = [network.position(name) for name in send.deceived]
    return [(topics.inbox_of(place), packet) for place in places if place is not None]

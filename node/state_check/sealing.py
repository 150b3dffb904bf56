"""Sealing and opening the envelopes of state checks.

They are envelopes like those of private transactions, for another network: no ledger takes one. What they
are sealed with follows from the signing key and the content, so a node needs no source of entropy, and no
two contents ever share a key.
"""

from __future__ import annotations

from hashlib import sha256, shake_256

from node.canonical import DecodeError, encode
from node.consortium import Network
from node.envelopes.entropy import Entropy
from node.envelopes.envelope import NotAParty, Unreadable, seal, unseal
from node.envelopes.keys import PartyKeys, SigningKey
from node.envelopes.transaction import check_transaction
from node.state_check.packets import StateEnvelope, StateMessage, decode_message

STATE_FIELD = "_state"


def check_network(network: Network) -> bytes:
    """What stands for the network in the header of an envelope, 32 bytes."""
    return sha256(b"privity/v1/state-check\0" + network.id).digest()


def secret_of(network: Network, key: SigningKey, about: bytes) -> bytes:
    """32 bytes that only the holder of the key can compute: signing is deterministic (RFC 6979)."""
    return sha256(key.sign(b"privity/v1/state-check-secret\0" + network.id + about)).digest()


def seal_message(
    network: Network, keys: PartyKeys, sender: str, receiver: str, message: StateMessage
) -> StateEnvelope:
    """The envelope with this message, for the two and nobody else."""
    content = encode(message)
    position = network.position(receiver)
    assert position is not None
    about = position.to_bytes(2, "big") + content
    sealed = seal(
        {STATE_FIELD: content},
        readers=[network.wrapping_keys[sender], network.wrapping_keys[receiver]],
        network=check_network(network),
        sender=sender,
        policy=network.policy_hash,
        valid_from=message.height,
        valid_until=message.height,
        signing_key=keys.signing,
        entropy=_stream(secret_of(network, keys.signing, about)),
    )
    return StateEnvelope(sealed.transaction, sealed.blob)


def open_message(network: Network, keys: PartyKeys, envelope: StateEnvelope) -> StateMessage | str:
    """The message of an envelope for this party, or why it is refused, as a log's word."""
    core = envelope.transaction.header.core
    key = network.verify_key(core.sender)
    if key is None:
        return "unknown sender"
    reason = check_transaction(
        envelope.transaction,
        envelope.blob,
        network=check_network(network),
        policy=network.policy_hash,
        max_validity=0,
        sender_key=key,
    )
    if reason is not None:
        return reason
    try:
        fields = unseal(envelope.transaction, envelope.blob, keys.wrapping).payload.fields()
        content = fields.pop(STATE_FIELD, None)
        if fields or not isinstance(content, bytes):
            return "shape"
        message = decode_message(content)
    except NotAParty:
        return "not a party"
    except (Unreadable, DecodeError) as error:
        return error.reason
    except Exception:
        return "other"  # The key failed.
    return message if message.height == core.valid_from else "validity"


def _stream(secret: bytes) -> Entropy:
    drawn = 0

    def draw(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return shake_256(secret + drawn.to_bytes(4, "big")).digest(size)

    return draw

"""Who takes part in a network, with which keys, under which rules: what every node trusts from the start.

A consortium is public. Its hash is the network id, which every signature covers, so nothing signed for
one network means anything in another. Block 1 orders it, signed by its first voter, which is what "ready"
waits for.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import msgspec

from consensus.messages import MAX_WINDOW
from consensus.quorum import quorum
from consensus.state import Settings
from consensus.votes import Signature
from node.canonical import DecodeError, decode, encode
from node.envelopes.keys import SigningKey, VerifyKey, WrappingPublicKey
from node.envelopes.shares import Locked
from node.envelopes.transaction import PrivateTransaction
from node.errors import PrivityError
from node.seals.seal import MAX_SEALS, Seal

Meta = msgspec.Meta
Name = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[a-z0-9][a-z0-9-]*$")]
Milliseconds = Annotated[int, Meta(ge=0, lt=2**53)]
Count = Annotated[int, Meta(ge=1, lt=2**31)]

MAX_PARTIES = 64
GENESIS_SCHEMA = "privity.genesis/1"
MAX_NEW_VIEW = 3_500_000  # Bytes; wire.MAX_PACKET with room to spare.
MAX_CONSORTIUM_BYTES = 64 << 10


class Member(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """A party: its name, whether it votes, and its two public keys (P-256 compressed, X25519)."""

    name: Name
    votes: bool
    role: Annotated[str, Meta(max_length=32)]
    title: Annotated[str, Meta(max_length=200)]
    signing_key: Annotated[bytes, Meta(min_length=33, max_length=33)]
    wrapping_key: Annotated[bytes, Meta(min_length=32, max_length=32)]


class Policy(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """What the network promises about private transactions; its hash is part of each of them.

    `always_to` names the parties that must be among the readers of each (mandatory readers). With `payload`
    off_chain the readers alone get the ciphertext, and `copies` of them (0: all) must have it beforehand.
    `seals` are those under which a payload can be sent.
    """

    payload: Annotated[str, Meta(max_length=16)] = "on_chain"
    sender: Annotated[str, Meta(max_length=16)] = "public"
    recipients: Annotated[str, Meta(max_length=16)] = "hidden"
    size: Annotated[str, Meta(max_length=16)] = "padded"
    always_to: Annotated[tuple[Name, ...], Meta(max_length=31)] = ()
    copies: Annotated[int, Meta(ge=0, le=31)] = 1
    seals: Annotated[tuple[Seal, ...], Meta(max_length=MAX_SEALS)] = ()


class Rules(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """The settings of consensus. `validity_window` is in heights, the limits are in bytes and requests.

    `receipt_timeout_ms` is how long a client waits for receipts before it gives a transaction up;
    every `state_check` blocks the parties compare their private state, with 0 never.
    """

    block_every_ms: Milliseconds = 200
    view_timeout_ms: Milliseconds = 2000
    max_skew_ms: Milliseconds = 500
    window: Count = 128
    in_flight: Count = 8
    max_batch: Annotated[int, Meta(ge=1, le=1000)] = 500
    # A decided batch travels in one packet with its bodies (wire.MAX_PACKET), the largest single one too.
    max_batch_bytes: Annotated[int, Meta(ge=1, le=3 << 20)] = 1 << 20
    validity_window: Count = 1000
    receipt_timeout_ms: Milliseconds = 5000
    state_check: Annotated[int, Meta(ge=0, lt=2**31)] = 0


class Consortium(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    """Members with voters first, rules and policy. `salt` makes each network another one.

    `created_ms` is the genesis time in Unix milliseconds: the time of a scenario counts from it.
    """

    version: Annotated[int, Meta(ge=1, le=1)]
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    created_ms: Milliseconds
    members: Annotated[tuple[Member, ...], Meta(min_length=1, max_length=MAX_PARTIES)]
    policy: Policy
    rules: Rules

    def invalid(self) -> str | None:
        """Why this is no consortium, or None."""
        names = [member.name for member in self.members]
        keys = [member.signing_key for member in self.members] + [m.wrapping_key for m in self.members]
        votes = [member.votes for member in self.members]
        if len(set(names)) != len(names):
            return "two members of one name"
        if len(set(keys)) != len(keys):
            return "a key is used twice"
        if not votes[0] or votes != sorted(votes, reverse=True):
            return "voters do not come first"
        if not set(self.policy.always_to) <= set(names):
            return "a mandatory reader is no member"
        seals = self.policy.seals
        if len({seal.name for seal in seals}) != len(seals):
            return "two seals of one name"
        for seal in seals:
            if reason := seal.invalid(set(names)):
                return reason
        return None


class ConsortiumTransaction(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=2):
    """The public transaction of block 1: the consortium, signed by its first voter."""

    consortium: Consortium
    signature: Signature

    @property
    def id(self) -> bytes:
        """The transaction id, 32 bytes."""
        return hashlib.sha256(signed_bytes(self.consortium)).digest()


def signed_bytes(consortium: Consortium) -> bytes:
    """What the first voter signs."""
    return b"privity/v1/consortium\0" + encode(consortium)


def _readable(policy: Policy) -> dict[str, Any]:
    """The policy as the genesis file shows it to people."""
    fields = msgspec.structs.asdict(policy)
    return fields | {"seals": [msgspec.structs.asdict(seal) for seal in policy.seals]}


def widest_window(n: int) -> int:
    """How many heights may be open among n voters so that a new-view still fits into one packet.

    It quotes the view-changes of a quorum, and each of them, at the worst, a prepared certificate for every
    height of the window: a quorum of signatures of 68 bytes and the fields around them.
    """
    size = quorum(n) * (68 * quorum(n) + 160)
    return min(MAX_WINDOW, max(2, MAX_NEW_VIEW // size - 2))


class Network:
    """A consortium with what follows from it: ids, positions, usable public keys.

    Replica i is `members[i]`; the first `n` of them vote.
    """

    def __init__(self, transaction: ConsortiumTransaction) -> None:
        consortium = transaction.consortium
        self.transaction = transaction
        self.consortium = consortium
        self.members = consortium.members
        self.rules = consortium.rules
        self.id: bytes = hashlib.sha256(b"privity/v1/network\0" + encode(consortium)).digest()
        self.policy_hash: bytes = hashlib.sha256(b"privity/v1/policy\0" + encode(consortium.policy)).digest()
        self.n = sum(member.votes for member in consortium.members)
        self.created_ms = consortium.created_ms
        self.off_chain = consortium.policy.payload == "off_chain"
        self._position = {member.name: i for i, member in enumerate(consortium.members)}
        self.seals = {seal.name: seal for seal in consortium.policy.seals}
        self.openers_of = {seal.name: len(seal.openers) for seal in consortium.policy.seals}
        self.verify_keys = [VerifyKey.from_bytes(member.signing_key) for member in consortium.members]

    @functools.cached_property
    def wrapping_keys(self) -> dict[str, WrappingPublicKey]:
        """The public wrapping key of each party by name."""
        return {member.name: WrappingPublicKey.from_bytes(member.wrapping_key) for member in self.members}

    def settings(self, replica: int) -> Settings:
        """The settings of consensus for the replica at this position."""
        rules = self.rules
        return Settings(
            n=self.n,
            replica=replica,
            window=min(rules.window, widest_window(self.n)),
            in_flight=rules.in_flight,
            max_batch=rules.max_batch,
            max_batch_bytes=rules.max_batch_bytes,
            block_every_ms=rules.block_every_ms,
            max_skew_ms=rules.max_skew_ms,
            view_timeout_ms=rules.view_timeout_ms,
        )

    @property
    def names(self) -> list[str]:
        """The parties' names, voters first."""
        return list(self._position)

    def position(self, name: str) -> int | None:
        """The replica id of a party, or None if there is no such party."""
        return self._position.get(name)

    def with_mandatory(self, sender: str, readers: Iterable[str]) -> tuple[str, ...]:
        """These readers and those that the policy adds, without the sender, each once."""
        policy = self.consortium.policy
        return tuple(name for name in dict.fromkeys((*readers, *policy.always_to)) if name != sender)

    def sealed_for(self, transaction: PrivateTransaction) -> Seal | None:
        """The seal that a transaction lies under, if any."""
        part = transaction.header.core.seal
        return None if part is None else self.seals.get(part.name)

    def locked(self, seal: Seal) -> Locked:
        """What the envelope of a payload under this seal needs to know of it."""
        return Locked(seal.name, tuple(self.wrapping_keys[name] for name in seal.openers), seal.threshold)

    def keepers(self, seal: Seal, sender: str) -> frozenset[str]:
        """Who gets the ciphertext of a payload under this seal: everybody may know, the policy is public."""
        return seal.keepers | {sender, *self.consortium.policy.always_to}

    def verify_key(self, name: str) -> VerifyKey | None:
        """The public signing key of a party, or None if there is no such party."""
        position = self._position.get(name)
        return None if position is None else self.verify_keys[position]

    @classmethod
    def founded(cls, consortium: Consortium, first_voter: SigningKey) -> Network:
        """A new network; `first_voter` is the signing key of `consortium.members[0]`."""
        reason = consortium.invalid()
        assert reason is None, reason
        return cls(ConsortiumTransaction(consortium, first_voter.sign(signed_bytes(consortium))))

    def to_json(self) -> str:
        """The genesis file: readable, and with the signed bytes that it all hangs on."""
        document: dict[str, Any] = {
            "schema": GENESIS_SCHEMA,
            "network": self.id.hex(),
            "transaction": base64.b64encode(encode(self.transaction)).decode(),
            "created_ms": self.created_ms,
            "members": [
                {
                    "name": member.name,
                    "votes": member.votes,
                    "role": member.role,
                    "title": member.title,
                    "signing_key": member.signing_key.hex(),
                    "wrapping_key": member.wrapping_key.hex(),
                }
                for member in self.members
            ],
            "policy": msgspec.to_builtins(_readable(self.consortium.policy)),
            "rules": msgspec.structs.asdict(self.rules),
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def load(cls, path: Path) -> Network:
        """Read and check a genesis file. Raises PrivityError E-GENESIS."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            encoded = base64.b64decode(document["transaction"], validate=True)
            transaction = decode(ConsortiumTransaction, encoded, MAX_CONSORTIUM_BYTES)
            why = transaction.consortium.invalid()
            network = cls(transaction) if why is None else None
        except FileNotFoundError:
            raise PrivityError("E-NO-RUN", "the run's genesis file is gone", where=path.name) from None
        except (OSError, KeyError, TypeError, binascii.Error, DecodeError, ValueError):
            network, why = None, "it does not hold the signed consortium"
        if network is not None:
            signed = signed_bytes(network.consortium)
            if not network.verify_keys[0].verify(transaction.signature, signed):
                why = "its signature is not that of the first voter"
            elif json.loads(network.to_json()) != document:
                why = "its readable part differs from what was signed"
        if network is None or why is not None:
            raise PrivityError(
                "E-GENESIS", "the genesis file cannot be trusted", where=path.name, why=why or ""
            )
        return network

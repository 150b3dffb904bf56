"""The public state of whole nodes, computed again from their journals: each key once (I7, I8).

What a node records before it votes holds the transactions, what it records when it executes holds batch and
header. From these the state is derived here by other means than the ledger's: which (sender, nonce) took
effect at which height, over the last `validity_window` heights.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgpack

from scenarios.checkers.facts import Facts

BODIES_RECORD, BLOCK_RECORD = 4, 5
PRIVATE, CONSORTIUM, ACT = 1, 2, 3
VALIDITY_WINDOW = 7  # Its place among the rules of a consortium.
NO_PARENT = bytes(32)
Key = tuple[str, bytes]


def _packed(value: Any) -> bytes:
    return bytes(msgpack.packb(value, use_bin_type=True))


def _hashed(domain: bytes, value: Any) -> bytes:
    return hashlib.sha256(domain + b"\0" + _packed(value)).digest()


def body_root(identifiers: list[bytes]) -> bytes:
    """The Merkle root of these transactions in order (RFC 6962)."""
    if not identifiers:
        return hashlib.sha256(b"").digest()
    if len(identifiers) == 1:
        return hashlib.sha256(b"\0" + identifiers[0]).digest()
    half = 1 << (len(identifiers) - 1).bit_length() - 1
    left, right = body_root(identifiers[:half]), body_root(identifiers[half:])
    return hashlib.sha256(b"\1" + left + right).digest()


def of_a_ledger(body: bytes) -> bool:
    """Whether a record of bodies or of a block may be one of a whole node: looked at without unpacking it.

    A bare host's block begins with a hash where a node's has its header, and its requests are maps.
    """
    return body[2] & 0xF0 != 0xC0 and (body[0], body[1], body[3] & 0xF0) != (0x92, BODIES_RECORD, 0x80)


class PublicState:
    """One chain and the state after each of its blocks, held against what every correct node records."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._window = 0
        self._created_ms = 0
        self._founder = ""
        self._signing: dict[str, int] = {}  # Whose signature belongs to a name.
        self._bodies: dict[bytes, tuple[Key, bool]] = {}  # The key of each, and whether it is genuine.
        self._taken: list[list[list[Any]]] = []  # By height, from 1: the keys that took effect there.
        self._headers: list[list[Any]] = []

    def persisted(self, record: list[Any], at_us: int, replica: int) -> None:
        """A correct replica appended a record of its driver; one without a ledger records other things."""
        if record[0] == BODIES_RECORD:
            for transaction in record[1]:
                if isinstance(transaction, list):
                    self._learn(transaction)
        elif record[0] == BLOCK_RECORD and isinstance(record[1], list):
            self._executed(record[1], record[2], at_us, replica)

    def _learn(self, transaction: list[Any]) -> None:
        kind, content, signature = transaction
        if kind == CONSORTIUM:
            _, _, self._created_ms, members, _, rules = content
            self._founder, self._window = members[0][0], rules[VALIDITY_WINDOW]
            self._signing = {member[0]: place for place, member in enumerate(members)}
            signed = b"privity/v1/consortium\0" + _packed(content)
            key = (self._founder, bytes(16))
            genuine = _hashed(b"privity/v1/network", content) == self._facts.network_id
        else:
            domain, fields = (b"act", content[2:4]) if kind == ACT else (b"tx", content[0][3:5])
            signed = b"privity/v1/" + domain + b"\0" + _packed(content)
            key = (fields[0], fields[1])
            genuine = self._facts.check(self._signing.get(key[0], -1), signature, signed)
        self._bodies[hashlib.sha256(signed).digest()] = key, genuine

    def _executed(self, header: list[Any], batch: list[Any], at_us: int, replica: int) -> None:
        facts = self._facts
        height = batch[0]
        if height > len(self._headers) + 1:
            facts.broken("I7", f"height {height} after {len(self._headers)}", at_us, replica)
        if height == len(self._headers) + 1:
            self._apply(height, batch, at_us, replica)
        expected = self._headers[height - 1]
        facts.checked["I8"] += 1
        if header[-1] != expected[-1]:
            facts.broken("I8", f"the state after {height} is not each key once", at_us, replica)
        if header != expected:
            facts.broken("I7", f"the header at {height} does not follow from the chain", at_us, replica)

    def _apply(self, height: int, batch: list[Any], at_us: int, replica: int) -> None:
        facts = self._facts
        _, proposer, time_ms, identifiers = batch
        recent = self._taken[-self._window :] if self._window else []
        known = {(sender, nonce) for keys in recent for sender, nonce in keys}
        taken: list[list[Any]] = []
        for identifier in identifiers:
            key, genuine = self._bodies.get(identifier, (("", b""), False))
            if not genuine:
                facts.broken("I7", f"nobody signed what is executed at {height}", at_us, replica)
            if key in known:
                facts.seen["repeat without effect"] += 1
                continue
            known.add(key)
            taken.append(list(key))
        self._taken.append(taken)
        first = max(1, height - self._window + 1)
        digests = [_hashed(b"privity/v1/executed", [h, self._taken[h - 1]]) for h in range(first, height + 1)]
        root = hashlib.sha256(b"privity/v1/state\0" + facts.network_id + b"".join(digests)).digest()
        before = self._headers[-1] if self._headers else None
        parent = NO_PARENT if before is None else _hashed(b"privity/v1/block", before)
        grown_ms = max(self._created_ms if before is None else before[4], time_ms)
        digest = _hashed(b"privity/v1/batch", batch)
        self._headers.append(
            [1, facts.epoch, height, parent, grown_ms, proposer, digest, body_root(identifiers), root]
        )

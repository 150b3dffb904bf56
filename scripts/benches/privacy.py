"""What private business costs, as ratios to bare calls of `cryptography` for what it must do.

Each figure is CPU time of one core, measured side by side in turns, and the median of all turns. The bare
side does nothing but the operations that any such protocol needs: no encoding, no copies, no checks.

- seal to 16 readers, 4 KiB: a wrap for each slot of the bucket, AES-256-GCM of the padded payload, a hash for
  each leaf and inner node and for the blob, one signature.
- open, all 16 readers: unwraps up to the own slot (slots name nobody, so each is tried), AES, hashes, and a
  wrap for each slot, since a reader makes sure that all were given one key (P06).
- disclose one field to 3, and their check: a carrier of its own, two signatures; three opened carriers.
- total of 7 contributors, from the first act to everybody's verdict: private_total.py counts what it takes.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from private_total import BareTotal, play

from node.consortium import Consortium, Member, Network, Policy, Rules
from node.disclosure.disclosing import Author, disclose
from node.envelopes.disclosure import Shown, check, package_in
from node.envelopes.envelope import Sealed, readers_of, seal, unseal
from node.envelopes.keys import PartyKeys
from node.envelopes.rule import FREE, with_rule

TURNS = 15
READERS, SIZE = 16, 4096
LEAVES = 8
CONTRIBUTORS = tuple(f"bank-{letter}" for letter in "abcdefg")
SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
Work = Callable[[], object]


def cpu_us(work: Work) -> float:
    """One call, in microseconds of this thread."""
    started = time.thread_time_ns()
    work()
    return (time.thread_time_ns() - started) / 1000


def compared(name: str, ours: Work, bare: Work, **more: object) -> dict[str, Any]:
    """Both, turn by turn, after one that warms up."""
    ours(), bare()
    pairs = [(cpu_us(ours), cpu_us(bare)) for _ in range(TURNS)]
    spent, base = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    return {"what": name, "us": round(spent), "bare_us": round(base), "ratio": round(ratio, 2), **more}


class Bare:
    """The operations alone, with keys that are ready."""

    def __init__(self) -> None:
        self._reader = x25519.X25519PrivateKey.generate()
        self._public = self._reader.public_key()
        self._aes = AESGCM(os.urandom(32))
        self._signing = ec.generate_private_key(ec.SECP256R1())
        self._secret, self._info = os.urandom(32), os.urandom(47)
        self._wrapped = SUITE.encrypt(self._secret, self._public, info=self._info)
        self._leaf = os.urandom(64)

    def wraps(self, count: int) -> None:
        for _ in range(count):
            SUITE.encrypt(self._secret, self._public, info=self._info)

    def unwraps(self, count: int) -> None:
        for _ in range(count):
            SUITE.decrypt(self._wrapped, self._reader, info=self._info)

    def encrypt(self, size: int) -> bytes:
        return self._aes.encrypt(bytes(12), bytes(size), self._info)

    def decrypt(self, sealed: bytes) -> None:
        self._aes.decrypt(bytes(12), sealed, self._info)

    def hashes(self, count: int, size: int = 0) -> None:
        for _ in range(count):
            sha256(self._leaf).digest()
        sha256(bytes(size)).digest()

    def sign(self) -> None:
        self._signing.sign(self._leaf, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))


def consortium() -> tuple[Network, dict[str, PartyKeys]]:
    """As many parties as readers."""
    keys = {f"p{number:02}": PartyKeys.generate(os.urandom) for number in range(READERS)}
    members = tuple(
        Member(name, True, "", "", each.signing.public.raw, each.wrapping.public.raw)
        for name, each in keys.items()
    )
    founding = Consortium(1, os.urandom(16), 0, members, Policy(), Rules())
    return Network.founded(founding, keys["p00"].signing), keys


def payload() -> dict[str, object]:
    """Fields whose plaintext fills a bucket of 4 KiB."""
    room = SIZE - 600
    names = [f"field-{number}" for number in range(LEAVES - 2)]  # The rule and the price are two more.
    return {name: os.urandom(room // LEAVES) for name in names} | {"price": 800}


def results(arguments: list[str]) -> list[dict[str, Any]]:
    """Seal, open, disclose."""
    network, keys = consortium()
    bare, fields = Bare(), payload()

    def sealing() -> Sealed:
        return seal(
            with_rule(fields, FREE),
            readers=[each.wrapping.public for each in keys.values()],
            network=network.id,
            sender="p00",
            policy=network.policy_hash,
            valid_from=1,
            valid_until=50,
            signing_key=keys["p00"].signing,
            entropy=os.urandom,
        )

    sealed = sealing()
    bucket, size = len(sealed.blob.slots), sealed.transaction.header.core.size_bucket
    assert (bucket, size) == (READERS, SIZE), (bucket, size)
    ciphertext = bare.encrypt(size)
    nodes = 2 * LEAVES  # Leaves and inner nodes, the count and the root.

    def bare_seal() -> None:
        bare.wraps(bucket)
        bare.encrypt(size)
        bare.hashes(nodes + 6, size + 80 * bucket)
        bare.sign()

    def opening() -> None:
        for each in keys.values():
            opened = unseal(sealed.transaction, sealed.blob, each.wrapping)
            readers_of(sealed.transaction, sealed.blob, opened.content_key, network.wrapping_keys)

    tries = sum(range(1, READERS + 1))  # Each reader finds its own slot at another place.

    def bare_open() -> None:
        bare.unwraps(tries)
        bare.wraps(READERS * bucket)
        for _ in range(READERS):
            bare.decrypt(ciphertext)
            bare.hashes(nodes + 6, 2 * (size + 80 * bucket))

    author = Author("p00", keys["p00"], network, os.urandom, 1, 50)
    receivers = ("p01", "p02", "p03")

    def disclosing() -> None:
        made = disclose(
            author,
            sealed.payload,
            sealed.transaction.header,
            ordered_at=1,
            receivers=receivers,
            reason="audit",
            fields=["price"],
        )
        carrier = made.carrier
        for name in receivers:
            opened = unseal(carrier.transaction, carrier.blob, keys[name].wrapping)
            package = package_in(opened.payload.fields())
            assert package is not None
            shown = check(package, sealed.transaction.header, carrier.transaction.header.core, name)
            assert isinstance(shown, Shown)

    small = 1024

    def bare_disclose() -> None:
        bare.wraps(4)
        bare.encrypt(small)
        bare.hashes(20, small + 320)
        bare.sign()
        bare.sign()
        bare.unwraps(2 + 3 + 4)  # Of four slots, one of which is the discloser's own.
        for _ in receivers:
            bare.decrypt(bare_small)
            bare.hashes(20, small + 320)

    bare_small = bare.encrypt(small)
    return [
        compared("seal, 16 readers, 4 KiB", sealing, bare_seal, slots=bucket),
        compared("open, all 16 readers", opening, bare_open, unwraps=tries, slots_checked=READERS * bucket),
        compared("disclose to 3, checked", disclosing, bare_disclose),
        compared(f"total of {len(CONTRIBUTORS)}", lambda: play(CONTRIBUTORS), BareTotal(len(CONTRIBUTORS))),
    ]

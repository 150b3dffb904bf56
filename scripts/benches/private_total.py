"""A total of some contributors: the round as their machines play it, and what it takes at the least.

At the least, with n contributors of whom t shares give a secret, all present: 2n key pairs; for each of 2n
secrets the values at n - t + 1 places, interpolated from t shares in two halves; n boxes of shares from each
to each, wrapped and unwrapped; n (n - 1) agreements with a mask; n releases wrapped for n + 1, unwrapped by
n + 1; and by each of these n seeds interpolated, with n masks. Interpolation is PyCryptodome's, all else
`cryptography`'s.
"""

from __future__ import annotations

import os
from hashlib import sha256

from Crypto.Protocol.SecretSharing import Shamir
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node.aggregation.boxes import total_hash
from node.aggregation.contributor import Contributor, Verdict
from node.aggregation.coordinator import Announce, Coordinator
from node.aggregation.rounds import Place, Rounds
from node.aggregation.sharing import threshold
from node.chain.round_deeds import RoundDeed, RoundResult

SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
COORDINATOR = "clearing"
MOST_TURNS = 50


def play(names: tuple[str, ...]) -> None:
    """One round, from the first act to the verdict of each contributor."""
    rounds = Rounds()
    parties = {name: Contributor(name, 1000, sha256(name.encode()).digest(), os.urandom) for name in names}
    coordinator = Coordinator(COORDINATOR, names, "exposure", os.urandom)
    count = 0

    def say(author: str, deed: RoundDeed) -> bytes:
        nonlocal count
        count += 1
        act = count.to_bytes(32, "big")
        reason = rounds.apply(Place(act, author, count), deed)
        assert not reason, reason
        return act

    at = rounds.by_id[say(COORDINATOR, coordinator.start)]
    for turn in range(MOST_TURNS):
        if at.over and all(party.verdict is not Verdict.OPEN for party in parties.values()):
            break
        for name, party in parties.items():
            for deed in party.react(at):
                say(name, deed)
        for thing in coordinator.react(rounds, at, turn):
            if isinstance(thing, Announce):
                assert thing.total == 1000 * len(names)
                hashed = total_hash(at.id, thing.salt, thing.total)
                say(COORDINATOR, RoundResult(at.id, bytes(32), hashed))
            else:
                say(COORDINATOR, thing)
    assert {party.verdict for party in parties.values()} == {Verdict.RIGHT}


class BareTotal:
    """The operations alone."""

    def __init__(self, contributors: int) -> None:
        self._n, self._needed = contributors, threshold(contributors)
        self._key = x25519.X25519PrivateKey.generate()
        self._public = self._key.public_key()
        self._wrapped = SUITE.encrypt(bytes(64), self._public, info=bytes(50))
        self._shares = [(place, os.urandom(16)) for place in range(1, self._needed + 1)]
        self._aes = AESGCM(os.urandom(32))
        self._body = self._aes.encrypt(bytes(12), bytes(64 * contributors), b"")

    def __call__(self) -> None:
        n, places = self._n, self._n - self._needed + 1
        for _ in range(2 * n):
            x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()
        for _ in range(2 * n * places * 2 + (n + 1) * n * 2):
            Shamir.combine(self._shares, False)
        for _ in range(n * n + n * (n + 1)):
            SUITE.encrypt(bytes(64), self._public, info=bytes(50))
            SUITE.decrypt(self._wrapped, self._key, info=bytes(50))
        for _ in range(n * (n - 1)):
            HKDF(hashes.SHA256(), 8, salt=None, info=bytes(50)).derive(self._key.exchange(self._public))
        for _ in range((n + 1) * n + n):
            HKDF(hashes.SHA256(), 8, salt=None, info=bytes(50)).derive(bytes(32))
        for _ in range(n):
            self._aes.encrypt(bytes(12), bytes(64 * n), b"")
        for _ in range((n + 1) * n):
            self._aes.decrypt(bytes(12), self._body, b"")
        for _ in range((n + 2) * 2 * n * n):  # Commitments of shares, made and compared.
            sha256(self._body[:128]).digest()

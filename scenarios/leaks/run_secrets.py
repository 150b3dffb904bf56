"""Every secret of a run, with who may hold it: what the leak scan looks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from node.disclosure.disclosing import Disclosing
from node.envelopes.content_key import ContentKey
from node.envelopes.disclosure import RULE_FIELD, Whole
from node.envelopes.envelope import Opened, Sealed
from node.envelopes.keys import PartyKeys
from node.envelopes.shares import split
from node.envelopes.transaction import CoreHeader, owner_of
from node.seals.seal import Seal
from scenarios.leaks.canaries import Secret
from scenarios.leaks.secret_forms import SHORTEST_BYTES
from scenarios.model.payloads import CANARY_FIELD


class RunSecrets:
    """Grows as keys are drawn and transactions are sealed. Held in memory only."""

    def __init__(self) -> None:
        self.all: list[Secret] = []
        self._of: dict[bytes, slice] = {}  # By transaction id: its own among all.

    def add_keys(self, party: str, keys: PartyKeys) -> None:
        """The two private keys of a party, which nobody but its own node may hold."""
        own = frozenset((party,))
        self.all.append(Secret(own, "signing key", keys.signing.secret_bytes()))
        self.all.append(Secret(own, "wrapping key", keys.wrapping.secret_bytes()))

    def add_disclosure(self, made: Disclosing, holders: frozenset[str]) -> None:
        """What a disclosure shows may be held by its receivers too; its carrier has secrets of its own.

        To be called before anything of it is published.
        """
        opening = made.package.opening
        leaves = opening.leaves if isinstance(opening, Whole) else [leaf for _, leaf in opening.leaves]
        shown: set[bytes | str] = {leaf.salt for leaf in leaves}
        shown |= {leaf.value for leaf in leaves if isinstance(leaf.value, str | bytes)}
        self.all = [
            replace(secret, readers=secret.readers | holders) if secret.value in shown else secret
            for secret in self.all
        ]
        self.add_sealed(made.carrier, holders)

    def add_round(self, secrets: Iterable[tuple[str, bytes]]) -> None:
        """Masks' seeds, keys and shares of a round of aggregation, each with its kind: on nobody's disk.

        To be called before anything that follows from them is published; again as there are more.
        """
        known = {secret.value for secret in self.all}
        self.all += [
            Secret(frozenset(), f"{kind} of a round", value)
            for kind, value in dict(((kind, value), None) for kind, value in secrets)
            if value not in known
        ]

    def add_sealed(self, sealed: Sealed | Opened, readers: frozenset[str]) -> None:
        """What a sealed payload is made of: canary, texts, every leaf's salt, the content key."""
        start = len(self.all)
        self.all.append(Secret(readers, "content key", sealed.content_key))
        for leaf in sealed.payload.leaves:
            if leaf.path == (RULE_FIELD,):
                continue  # A word of three, and a salt that stays in the proof of who broke it.
            self.all.append(Secret(readers, "salt", leaf.salt))
            value = leaf.value
            if isinstance(value, str | bytes):
                size = len(value.encode() if isinstance(value, str) else value)
                if size >= SHORTEST_BYTES:
                    kind = "canary" if leaf.path == (CANARY_FIELD,) else "text"
                    self.all.append(Secret(readers, kind, value))
        if isinstance(sealed, Sealed):
            self._of[sealed.transaction.id] = slice(start, len(self.all))

    def add_shares(self, core: CoreHeader, content_key: bytes, seal: Seal) -> None:
        """The shares of a sealed payload's key; each is its sender's, its opener's, and of who reads then."""
        for share in split(ContentKey(content_key), owner_of(core), seal.threshold, len(seal.openers)):
            holders = frozenset((core.sender, seal.openers[share.number - 1], *seal.then_to))
            self.all.append(Secret(holders, "salt", share.salt))
            if seal.threshold > 1:  # Else the share is the key, which is there already.
                self.all.append(Secret(holders, "share", share.value))

    def without(self, purged: Mapping[bytes, frozenset[str]]) -> list[Secret]:
        """All, after a purge: by transaction id, the parties that must have erased what they had of it."""
        secrets = list(self.all)
        for identifier, parties in purged.items():
            own = self._of.get(identifier, slice(0))
            secrets[own] = [replace(each, readers=each.readers - parties) for each in self.all[own]]
        return secrets

"""What comes of keys: each party's own key, held against the blobs in its own folder."""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property

from node.chain.reading import NodeReading
from node.consortium import Network
from node.envelopes.envelope import NotAParty, Unreadable, open_with, unseal
from node.envelopes.keys import WrappingKey
from node.envelopes.payload import Payload
from node.envelopes.shares import combine
from node.envelopes.transaction import Blob, PrivateTransaction
from node.errors import PrivityError
from node.run_reading import RunReading
from node.seals.unsealing import Unsealed, open_sealed, own_share
from scenarios.knowledge.broker_view import BrokerView, capture_offset_ms, read_broker
from scenarios.knowledge.rows import COULD, TOGETHER


class Trials:
    """What comes of each party's key on each blob of its own, and what the broker carried, found out once.

    Only when something was held differs from moment to moment: keys and what they open do not.
    """

    def __init__(self, reading: RunReading) -> None:
        self._reading = reading
        self._outcomes: dict[tuple[str, bytes], Payload | NotAParty | Unreadable] = {}
        self._unsealed: dict[tuple[str, bytes], Unsealed | NotAParty | Unreadable] = {}
        self._shares: dict[tuple[str, bytes], str | None] = {}
        self._keys: dict[str, WrappingKey | PrivityError] = {}

    @cached_property
    def broker(self) -> BrokerView:
        """What the recorder saw the broker carry, with the ciphertexts that some node has erased since."""
        gone = {identifier for node in self._reading.nodes().values() for identifier in erased_at(node)}
        return read_broker(self._reading.folder.capture, capture_offset_ms(self._reading), gone)

    def key(self, name: str) -> WrappingKey:
        """The party's wrapping key. Raises E-KEYS."""
        if name not in self._keys:
            try:
                self._keys[name] = self._reading.keys(name).wrapping
            except PrivityError as error:
                self._keys[name] = error
        found = self._keys[name]
        if isinstance(found, PrivityError):
            raise found
        return found

    @property
    def network(self) -> Network:
        return self._reading.network

    def unsealed(self, name: str, identifier: bytes, transaction: PrivateTransaction, blob: Blob) -> Unsealed:
        """What a party's key makes, in the end, of what lies under a seal, with the releases on its ledger.

        Raises NotAParty, Unreadable, E-KEYS.
        """
        found = self._unsealed.get((name, identifier))
        if found is None:
            releases = self._reading.node(name).seals.releases_of(identifier)
            try:
                found = open_sealed(self.network, transaction, blob, name, self.key(name), releases)
            except (NotAParty, Unreadable) as outcome:
                found = outcome
            self._unsealed[name, identifier] = found
        if isinstance(found, Exception):
            raise found
        return found

    def share_symbol(
        self, name: str, identifier: bytes, transaction: PrivateTransaction, blob: Blob
    ) -> str | None:
        """Whether an opener could read it alone, or with others: shares are unwrapped and combined to see.

        None for who is no opener, or whose share leads nowhere.
        """
        if (name, identifier) not in self._shares:
            self._shares[name, identifier] = self._try_shares(name, transaction, blob)
        return self._shares[name, identifier]

    def _try_shares(self, name: str, transaction: PrivateTransaction, blob: Blob) -> str | None:
        seal = self.network.sealed_for(transaction)
        if seal is None or name not in seal.openers:
            return None
        shares = []
        for opener in (name, *(other for other in seal.openers if other != name)):
            try:
                shares.append(own_share(self.network, transaction, blob, opener, self.key(opener)))
            except (NotAParty, Unreadable, PrivityError):
                if opener == name:
                    return None
            if len(shares) == seal.threshold:
                break
        with suppress(Unreadable):
            if len(shares) == seal.threshold:
                open_with(transaction, blob, combine(shares))
                return COULD if seal.threshold == 1 else TOGETHER
        return None

    def payload(self, name: str, identifier: bytes, transaction: PrivateTransaction, blob: Blob) -> Payload:
        """What a party's key makes of the blob in its own folder. Raises NotAParty, Unreadable, E-KEYS."""
        found = self._outcomes.get((name, identifier))
        if found is None:
            try:
                found = unseal(transaction, blob, self.key(name)).payload
            except (NotAParty, Unreadable) as outcome:
                found = outcome
            self._outcomes[name, identifier] = found
        if isinstance(found, Exception):
            raise found
        return found


def erased_at(node: NodeReading) -> set[bytes]:
    """The transactions whose ciphertext this node has erased, at whatever moment."""
    return {bytes.fromhex(holding.tx) for holding in node.holdings if holding.erased == "blob"}

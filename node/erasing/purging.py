"""Purge receipts: what a node signs of what it erased, and where that goes (P43).

With on-chain payloads every node is obliged, and its receipt is a public act, one for many transactions. With
off-chain payloads a receipt on the ledger would tell who the readers were, so it goes sealed to the sender's
node, from those alone who held the payload. A receipt is a statement: that nothing was copied before nobody
can prove. Who signed and has it all the same is convicted by what is found on its disk.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from node.canonical import DecodeError, decode, encode
from node.chain.act import VERSION, Act, ActTransaction, signed
from node.chain.deeds import PurgeReceipt
from node.chain.store import Store
from node.consortium import Network
from node.delivery.packets import (
    PurgedHere,
    PurgeReceiptTaken,
    SealedPurgeReceipt,
    SignedPurgedHere,
    purged_bytes,
    taken_bytes,
)
from node.envelopes.keys import PartyKeys, WrappingKey
from node.envelopes.transaction import NONCE_BYTES
from node.envelopes.wrapping import WRAP_OVERHEAD_BYTES
from node.erasing.repeating import Repeating
from node.private_files import make_private_folder, replace_private
from node.topics import Topics

FOLDER = "purge-receipts"
LEDGER = ""  # To whom on-chain receipts are owed.
REMEMBERED = 8192
_LIMIT = 512 - WRAP_OVERHEAD_BYTES


class PurgeReceipts:
    """Of one node. `act` takes an act of this node's own for ordering; `sender` names who sent a payload.

    What is due lies in the index until it is ordered, or the sender's node has acknowledged it. Raises
    OSError or sqlite3.Error.
    """

    def __init__(
        self,
        network: Network,
        name: str,
        keys: PartyKeys,
        folder: Path,
        store: Store,
        send: Callable[[str, bytes], None],
        act: Callable[[ActTransaction], None],
        sender: Callable[[bytes], str],
        now_ms: int,
    ) -> None:
        self._network = network
        self._name = name
        position = network.position(name)
        assert position is not None
        self._own = position
        self._keys = keys
        self._folder = folder / FOLDER
        self._store = store
        self._send = send
        self._act = act
        self._sender = sender
        self._topics = Topics(network.id)
        self._repeating = Repeating(store, now_ms)
        # What acknowledges what was said last, and what that is: more is said again before it is awaited.
        self._awaited: OrderedDict[bytes, tuple[str, bytes]] = OrderedDict()

    @property
    def deadline_ms(self) -> int | None:
        """When `tick` has something to do; None: nothing is due."""
        return self._repeating.deadline_ms

    def erased(self, identifiers: Sequence[bytes], now_ms: int) -> None:
        """These were erased here a moment ago: receipts are due, together with what follows soon."""
        if identifiers:
            due = [(each, self._owner(each)) for each in identifiers]
            self._store.add_receipts_due(due)
            self._repeating.added({owner for _, owner in due}, now_ms)

    def ordered(self, author: str, deed: PurgeReceipt, now_ms: int) -> None:
        """A receipt is on the ledger."""
        if author == self._name:
            self._store.drop_receipts_due(deed.txs)
            self._repeating.acknowledged(LEDGER, now_ms)

    def tick(self, now_ms: int, height: int) -> None:
        """Sign what is due, and say it again for as long as nobody has it for sure."""
        for owner, due in self._repeating.due(now_ms):
            if owner == LEDGER:
                self._act(self._signed(due, height))
            elif owner == self._name:
                for identifier in due:
                    self._keep(self._receipt(identifier))
                self._store.drop_receipts_due(due)
            else:
                for identifier in due:
                    self._seal(identifier, owner)

    def _owner(self, identifier: bytes) -> str:
        return self._sender(identifier) if self._network.off_chain else LEDGER

    def _signed(self, due: Sequence[bytes], height: int) -> ActTransaction:
        deed = PurgeReceipt(tuple(sorted(due)))
        network = self._network
        # No entropy is needed: one statement at one height has one form.
        drawn = sha256(b"privity/v1/purge-receipt\0" + network.id + encode((self._name, deed, height)))
        act = Act(
            network=network.id,
            version=VERSION,
            sender=self._name,
            nonce=drawn.digest()[:NONCE_BYTES],
            policy=network.policy_hash,
            valid_from=height,
            valid_until=height + network.rules.validity_window,
            deed=deed,
        )
        return signed(act, self._keys.signing)

    def _receipt(self, identifier: bytes) -> SignedPurgedHere:
        here = PurgedHere(self._own, identifier)
        return SignedPurgedHere(here, self._keys.signing.sign(purged_bytes(self._network.id, here)))

    def _seal(self, identifier: bytes, owner: str) -> None:
        """The receipt for the sender's node alone, derandomised from this node's own key."""
        network, receipt = self._network, self._receipt(identifier)
        place = network.position(owner)
        assert place is not None
        secret = self._keys.signing.secret_bytes()
        ephemeral = sha256(b"privity/v1/purge-ephemeral\0" + secret + network.id + identifier).digest()
        public = network.wrapping_keys[owner]
        sealed = public.wrap(encode(receipt), info=_info(network), ephemeral=ephemeral)
        self._awaited[proof_of(network, receipt)] = (owner, identifier)
        if len(self._awaited) > REMEMBERED:
            self._awaited.popitem(last=False)
        self._send(self._topics.inbox_of(place), encode(SealedPurgeReceipt(sealed)))

    def take(self, packet: SealedPurgeReceipt | PurgeReceiptTaken, now_ms: int) -> str:
        """A receipt for what this party sent, or word that one is there; why it is dropped, if it is."""
        if isinstance(packet, PurgeReceiptTaken):
            return self._taken(packet, now_ms)
        network = self._network
        found = _open(network, packet.sealed, self._keys.wrapping)
        if found is None:
            return "bad receipt"
        if not is_good_purge(network, found):
            return "bad signature"
        row = self._store.transaction(found.here.tx)
        if row is None or not row.purge_at or self._sender(found.here.tx) != self._name:
            return "receipt is not wanted"
        # Anybody at the broker can say it again; it must not cost the disk a flush.
        if not (repeated := self._has(found)):
            self._keep(found)
        # Only now, and each time: it lies on the disk, and what was said before may have been lost.
        taken = encode(PurgeReceiptTaken(proof_of(network, found)))
        self._send(self._topics.inbox_of(found.here.replica), taken)
        return "repeated" if repeated else ""

    def _taken(self, packet: PurgeReceiptTaken, now_ms: int) -> str:
        """Whoever sent it: who was owed the receipt has it, or could not have made this of it."""
        if (awaited := self._awaited.pop(packet.proof, None)) is None:
            return "acknowledgement is not wanted"
        owner, identifier = awaited
        self._store.drop_receipts_due([identifier])
        self._repeating.acknowledged(owner, now_ms)
        return ""

    def _keep(self, receipt: SignedPurgedHere) -> None:
        make_private_folder(self._folder)
        replace_private(self._path(receipt), encode(receipt))

    def _has(self, receipt: SignedPurgedHere) -> bool:
        with suppress(FileNotFoundError):
            return self._path(receipt).read_bytes() == encode(receipt)
        return False

    def _path(self, receipt: SignedPurgedHere) -> Path:
        return self._folder / f"{receipt.here.tx.hex()}.{receipt.here.replica}"


def proof_of(network: Network, receipt: SignedPurgedHere) -> bytes:
    """What only who has this receipt can send back."""
    return sha256(taken_bytes(network.id, receipt)).digest()


def is_good_purge(network: Network, receipt: SignedPurgedHere) -> bool:
    """Whether a member gave it."""
    keys, here = network.verify_keys, receipt.here
    if here.replica >= len(keys):
        return False
    return keys[here.replica].verify(receipt.signature, purged_bytes(network.id, here))


def read_purge_receipts(folder: Path, network: Network) -> Iterator[tuple[bytes, str]]:
    """The good receipts that a sender's node keeps: transaction and who gave it."""
    with suppress(FileNotFoundError):
        for path in sorted((folder / FOLDER).iterdir()):
            with suppress(OSError, DecodeError):
                receipt = decode(SignedPurgedHere, path.read_bytes(), _LIMIT)
                if is_good_purge(network, receipt):
                    yield receipt.here.tx, network.names[receipt.here.replica]


def _open(network: Network, sealed: bytes, key: WrappingKey) -> SignedPurgedHere | None:
    opened = key.unwrap(sealed, info=_info(network))
    try:
        return None if opened is None else decode(SignedPurgedHere, opened, _LIMIT)
    except DecodeError:
        return None


def _info(network: Network) -> bytes:
    return b"privity/v1/purge-receipt-wrap\0" + network.id

"""Proofs that a sender lied about a payload: found by a reader's node, kept in its folder, judged by anybody.

A proof opens the payload to whoever sees it, as far as the lie goes: it holds the content key that the sender
gave. So it lies in the finder's own folder, mode 600, goes when the payload is erased, and is shown to others
by nobody but the finder. It is judged from its bytes and the genesis file alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from node.canonical import DecodeError
from node.chain.store import erase_file
from node.consortium import Network
from node.envelopes.sender_proof import SenderProof, decode_proof, encode_proof
from node.private_files import make_private_folder, replace_private
from node.reporting import Reporter

FOLDER = "evidence"
KEPT_OF_EACH = 256
"""Proofs against one sender that a node keeps: what a liar may write to other people's disks."""


_LIES = {
    "wrapped_key": "gave a reader another key than it committed to",
    "slots": "gave one of the readers another key, or a slot to a stranger",
    "mandatory_reader": "left out a reader whom the policy demands",
    "ciphertext": "signed a ciphertext that does not decrypt",
    "payload_root": "encrypted another content than it committed to",
}


def lie_in_words(lie: str) -> str:
    """A token of SenderProof, as people say it."""
    return _LIES.get(lie, "encrypted what is no payload")


class Blamed(NamedTuple):
    """What a proof proves: that `sender` lied in the transaction `tx`; `lie` is a token of SenderProof."""

    tx: bytes
    sender: str
    lie: str


def judge(network: Network, proof: SenderProof) -> Blamed | None:
    """What this proves to a member of the network, who needs no private key for it; None for nothing."""
    core = proof.transaction.header.core
    key = network.verify_key(core.sender)
    if key is None or core.network != network.id or core.policy != network.policy_hash:
        return None
    keys = network.wrapping_keys
    mandatory = [keys[name] for name in network.consortium.policy.always_to]
    lie = proof.verify(key, keys.values(), mandatory)
    return None if lie is None else Blamed(proof.transaction.id, core.sender, lie)


def judge_bytes(network: Network, data: bytes) -> Blamed | None:
    """The same of bytes that somebody shows; what is no proof proves nothing. Never raises."""
    try:
        return judge(network, decode_proof(data))
    except DecodeError:
        return None


def kept_proofs(home: Path) -> Iterator[tuple[Path, bytes]]:
    """The proofs in a node's folder, as bytes that nobody has judged yet, in the order of their names."""
    folder = home / FOLDER
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if not path.name.startswith("."):
                yield path, path.read_bytes()


def proof_of(home: Path, identifier: bytes) -> bytes | None:
    """What a node keeps as a proof about this transaction, not judged yet; None if nothing."""
    try:
        return (home / FOLDER / identifier.hex()).read_bytes()
    except OSError:
        return None


class SenderEvidence:
    """The proofs that one node found. Raises OSError on a bad disk.

    `on_ledger` tells whether a transaction was ordered. One that was not and asks to be erased one day has no
    height from which that day counts, so its proof is told of and not kept.
    """

    def __init__(
        self, network: Network, name: str, home: Path, report: Reporter, on_ledger: Callable[[bytes], bool]
    ) -> None:
        self._own = name
        self._network = network
        self._folder = home / FOLDER
        self._report = report
        self._on_ledger = on_ledger
        self._told: set[bytes] = set()
        self._of: Counter[str] = Counter()
        for path, data in kept_proofs(home):
            found = judge_bytes(network, data)
            if found is None or found.tx.hex() != path.name:
                continue
            self._told.add(found.tx)
            self._of[found.sender] += 1

    def found(self, proof: SenderProof) -> bool:
        """Keep a proof, durably, and tell of it; whether it proves anything. One for each transaction.

        A party need not accuse itself: what its own client did, it can look up.
        """
        blamed = judge(self._network, proof)
        if blamed is None or blamed.sender == self._own:
            return False
        if blamed.tx in self._told:
            return True
        self._told.add(blamed.tx)
        kept_a_while = proof.transaction.header.core.keep and not self._on_ledger(blamed.tx)
        if not kept_a_while and self._of[blamed.sender] < KEPT_OF_EACH:
            make_private_folder(self._folder)
            replace_private(self._folder / blamed.tx.hex(), encode_proof(proof))
            self._of[blamed.sender] += 1
        self._report.emit(
            "payload.sender_blamed", "error", tx=blamed.tx, party=blamed.sender, reason_code=blamed.lie
        )
        return True

    def erase(self, identifier: bytes) -> bool:
        """Overwrite and remove the proof about an erased payload; whether there was one."""
        return erase_file(self._folder / identifier.hex())

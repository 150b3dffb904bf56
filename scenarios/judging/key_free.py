"""Whether the chains of a run follow from public bytes: each is executed anew without a private key (P25).

Twice, from the journals alone: by the node's own ledger, and by the checkers, which share no code with it. A
block that owes anything to what a party can read comes out otherwise, and fails the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from node.chain.replay import replay_blocks
from node.consortium import Network
from node.errors import PrivityError
from node.run_folder import RunFolder
from scenarios.chains import Chain
from scenarios.checkers.checkers import LEDGER_RECORDS
from scenarios.checkers.facts import Facts, InvariantBroken
from scenarios.checkers.journal_bytes import records_of
from scenarios.checkers.public_state import PublicState, of_a_ledger
from scenarios.checkers.reading import unpack
from scenarios.checkers.signing import Check, p256
from scenarios.kept import kept_signatures
from scenarios.virtual.signatures import MODELLED


@dataclass(frozen=True, slots=True)
class KeyFree:
    """What came of it. `blocks` is the height of the longest chain, `differing` tells each node's first."""

    blocks: int
    nodes: int
    differing: tuple[str, ...]
    unread: tuple[str, ...] = ()  # Nodes whose journal is gone: nothing is known of these.

    @property
    def equal(self) -> bool:
        """Whether every block came out as it was recorded."""
        return not self.differing

    @property
    def document(self) -> dict[str, object]:
        """As `run --json` has it."""
        return {
            "blocks": self.blocks,
            "nodes": self.nodes,
            "equal": self.equal,
            "differing": list(self.differing[:5]),
        }


def key_free_replay(folder: RunFolder, network: Network, chains: Sequence[Chain]) -> KeyFree:
    """Execute these chains anew, each from the journal of its node, and compare block by block.

    What is compared: the header in the journal, and the hash that the node's index has.
    """
    state = PublicState(_facts(folder, network))
    blocks = nodes = 0
    differing, unread = [], []
    for chain in chains:
        path = folder.node(chain.node) / "journal"
        try:
            found, height = _by_the_ledger(path, network, chain)
            found = found or _by_the_checkers(path, state, network.position(chain.node) or 0)
        except OSError:
            unread.append(chain.node)
            continue
        except (PrivityError, ValueError) as error:
            found, height = f"has no journal that can be read: {getattr(error, 'what', error)}", 0
        nodes, blocks = nodes + 1, max(blocks, height)
        if found:
            differing.append(f"{chain.node} {found}")
    return KeyFree(blocks, nodes, tuple(differing), tuple(unread))


def _by_the_ledger(path: Path, network: Network, chain: Chain) -> tuple[str, int]:
    """The first difference in words, or nothing, and the height."""
    replayed = replay_blocks(path, network)
    for block in replayed:
        height = block.recorded.height
        if not block.equal:
            return f"block {height} does not follow from public bytes", height
        indexed = chain.blocks.get(height)
        if indexed is not None and indexed.hash != block.recorded.hash():
            return f"block {height} is another in its index", height
    return "", len(replayed)


def _by_the_checkers(path: Path, state: PublicState, replica: int) -> str:
    for body in records_of(path):
        if body[1] in LEDGER_RECORDS and of_a_ledger(body):
            try:
                state.persisted(unpack(body), 0, replica)
            except InvariantBroken as broken:
                return f"{broken.invariant}: {broken.what}"
    return ""


def _facts(folder: RunFolder, network: Network) -> Facts:
    keys = [member.signing_key for member in network.members]
    settings = network.settings(0)
    check: Check = p256(keys)
    if kept_signatures(folder) == MODELLED:
        check = _anything  # There is no curve in such a run; its world checked what there is instead.
    return Facts(network.n, network.id, check, settings.window, settings.epoch)


def _anything(author: int, signature: bytes, signed: bytes) -> bool:
    return author >= 0

"""What the nodes of a run have on their disks, compared: heads, heights, and who differs where."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass

from node.chain.ledger import EXECUTED
from node.chain.store import BlockRow, Store
from node.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class Chain:
    """One node's blocks by height, and its executed transactions: the height of each id."""

    node: str
    blocks: dict[int, BlockRow]
    executed: dict[str, int]

    @property
    def height(self) -> int:
        """The height of its head, 0 before the first block."""
        return max(self.blocks, default=0)

    @property
    def head(self) -> BlockRow | None:
        return self.blocks.get(self.height)

    def height_at(self, unix_ms: int | None) -> int:
        """The height of the last block with a time not after this moment; of the head for None."""
        if unix_ms is None:
            return self.height
        return max((h for h, block in self.blocks.items() if block.time_ms <= unix_ms), default=0)


def read_chains(folder: RunFolder, names: list[str]) -> list[Chain]:
    """The chain of each of these nodes, from its own disk."""
    chains = []
    for name in names:
        if not (folder.node(name) / "index.sqlite").exists():
            chains.append(Chain(name, {}, {}))  # It lost its disk and has not started since.
            continue
        with contextlib.closing(Store(folder.node(name), read_only=True)) as store:
            blocks = {block.height: block for block in store.blocks()}
            executed = {
                row.id.hex(): row.height for row in store.all_transactions() if row.outcome == EXECUTED
            }
        chains.append(Chain(name, blocks, executed))
    return chains


def holders_at(chains: list[Chain], height: int) -> dict[tuple[bytes, bytes], list[str]]:
    """Who holds which block at this height, by hash and state root; two keys are a contradiction."""
    holders: dict[tuple[bytes, bytes], list[str]] = {}
    for chain in chains:
        if block := chain.blocks.get(height):
            holders.setdefault((block.hash, block.state_root), []).append(chain.node)
    return holders


def first_disagreement(chains: list[Chain]) -> str | None:
    """Where two nodes hold different blocks at one height, lowest height first; None if nowhere."""
    for height in range(1, max((chain.height for chain in chains), default=0) + 1):
        holders = holders_at(chains, height)
        if len(holders) > 1:
            groups = "; ".join(
                f"{key[0].hex()[:8]} at {' '.join(nodes)}" for key, nodes in sorted(holders.items())
            )
            return f"block {height} differs: {groups}"
    return None


def behind(chains: list[Chain]) -> list[str]:
    """The nodes whose head is below the highest."""
    top = max((chain.height for chain in chains), default=0)
    return [chain.node for chain in chains if chain.height < top]


def committed_everywhere(chains: list[Chain], transactions: list[str]) -> Counter[str]:
    """On how many nodes each of these transactions (hex ids) was executed."""
    return Counter({tx: sum(tx in chain.executed for chain in chains) for tx in transactions})

"""The breaches of owners' rules that a run's nodes kept proofs of, each verified anew from public data."""

from __future__ import annotations

from dataclasses import dataclass

from node.chain.standing import Standing
from node.disclosure.breaches import proved_breach, read_proofs
from node.run_reading import RunReading


@dataclass(frozen=True, slots=True)
class Breach:
    """A proved breach: `discloser` showed `tx` to `receivers` against its owner's rule.

    `record` is the id of the act that says so, in block `height`; `kept` are the nodes with a good proof.
    """

    record: bytes
    tx: bytes
    discloser: str
    receivers: tuple[str, ...]
    height: int
    kept: tuple[str, ...]

    def line(self, what: str = "it") -> str:
        """`clinic showed it to insurer against its owner's rule: proved by anna, clinic`."""
        whom = ", ".join(self.receivers)
        return (
            f"block {self.height}: {self.discloser} showed {what} to {whom} against its owner's rule;"
            f" proof kept by {', '.join(self.kept)}"
        )

    def document(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "record": self.record.hex(),
            "tx": self.tx.hex(),
            "by": self.discloser,
            "to": list(self.receivers),
            "height": self.height,
            "kept_by": list(self.kept),
        }


def breaches_of(reading: RunReading, tx: bytes | None = None) -> list[Breach]:
    """All that are proved, in chain order; of one transaction, if it is named."""
    chain = reading.highest()
    standing = Standing.of(chain.acts())
    found: dict[bytes, Breach] = {}
    for name in reading.network.names:
        for proof in read_proofs(reading.folder.node(name)):
            record = proof.record
            ordered = chain.transactions.get(record.id)
            if ordered is None or not ordered.executed or tx not in (None, proof.transaction.id):
                continue
            place = (ordered.height, ordered.position)
            if whom := proved_breach(proof, reading.network, standing, place):
                before = found.get(record.id)
                kept = (*before.kept, name) if before is not None else (name,)
                author = record.act.sender
                found[record.id] = Breach(
                    record.id, proof.transaction.id, author, tuple(whom), ordered.height, kept
                )
    return sorted(found.values(), key=lambda each: (each.height, each.record))

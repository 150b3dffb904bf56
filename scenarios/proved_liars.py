"""Parties that were proved liars: every proof that a node kept, judged anew from public data alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.consortium import Network
from node.run_folder import RunFolder
from node.sender_evidence import judge_bytes, kept_proofs
from node.share_evidence import any_lie_in_words, kept_share_proofs
from scenarios.model.lies import may_be_blamed
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Scenario


@dataclass(frozen=True, slots=True)
class ProvedLiar:
    """One lie: its transaction, who told it, what each proof proves, whose node has a proof that holds."""

    tx: bytes
    party: str
    lies: Mapping[str, str]  # By the name of the node that keeps a proof: a token of SenderProof.

    def document(self, name: str) -> dict[str, Any]:
        """As `run --json` has it; `name` is what the file calls the transaction."""
        return {"party": self.party, "tx": self.tx.hex(), "id": name, "proofs": dict(self.lies)}


def proved_liars(folder: RunFolder, network: Network, names: Iterable[str]) -> list[ProvedLiar]:
    """What the proofs prove that these nodes keep, by sender and transaction. Needs no private key."""
    found: dict[tuple[str, bytes], dict[str, str]] = {}
    for name in names:
        for _, data in kept_proofs(folder.node(name)):
            blamed = judge_bytes(network, data)
            if blamed is not None:
                found.setdefault((blamed.sender, blamed.tx), {})[name] = blamed.lie
        for lie in kept_share_proofs(network, folder.node(name)):
            found.setdefault((lie.party, lie.tx), {})[name] = lie.lie
    return [ProvedLiar(tx, sender, lies) for (sender, tx), lies in found.items()]


def framed(
    liars: Sequence[ProvedLiar], sent: Mapping[bytes, PlannedSend], scenario: Scenario
) -> list[ProvedLiar]:
    """Those that nobody told to lie: the proof is wrong, or the client is (P49)."""
    return [
        liar
        for liar in liars
        if liar.tx not in sent or not may_be_blamed(scenario, liar.party, sent[liar.tx])
    ]


def liar_in_words(liar: Mapping[str, Any]) -> str:
    """One line of the verdict, from the document of a liar."""
    lies = dict.fromkeys(any_lie_in_words(lie) for lie in liar["proofs"].values())
    by = ", ".join(liar["proofs"])
    return f"{liar['party']} is proved a liar about {liar['id']}: {'; '.join(lies)}   proof at {by}"

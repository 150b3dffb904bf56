"""Founding a network from a scenario: keys, a consortium, and the files that the operator alone has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from node.consortium import Consortium, Member, Network, Policy, Rules
from node.envelopes.entropy import Entropy
from node.envelopes.keys import PartyKeys
from node.private_files import open_private, replace_private
from node.run_folder import RunFolder
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Scenario


def make_keys(folder: RunFolder, scenario: Scenario, entropy: Entropy) -> dict[str, PartyKeys]:
    """Draw a signing and a wrapping key for each party and put them into its folder."""
    keys = {}
    for name in scenario.names:
        keys[name] = PartyKeys.generate(entropy)
        keys[name].save(folder.make_node(name) / "keys")
    return keys


def found(scenario: Scenario, keys: dict[str, PartyKeys], entropy: Entropy, now_ms: int) -> Network:
    """The network of a scenario; `now_ms` becomes its genesis time, from which steps count."""
    # Voters first, each group in the order of the file: a replica's number is its place in this list.
    ordered = sorted(scenario.parties, key=lambda party: not party.votes)
    members = tuple(
        Member(
            party.name,
            party.votes,
            party.role,
            party.title,
            keys[party.name].signing.public.raw,
            keys[party.name].wrapping.public.raw,
        )
        for party in ordered
    )
    consortium = Consortium(
        version=1,
        salt=entropy(16),
        created_ms=now_ms,
        members=members,
        policy=Policy(
            payload=scenario.payload,
            sender=scenario.metadata["sender"],
            recipients=scenario.metadata["recipients"],
            size=scenario.metadata["size"],
            always_to=scenario.always_to,
            copies=scenario.copies,
            seals=scenario.seals,
        ),
        rules=Rules(
            block_every_ms=scenario.block_every_ms,
            view_timeout_ms=scenario.view_timeout_ms,
            receipt_timeout_ms=scenario.receipt_timeout_ms,
            state_check=scenario.state_check,
        ),
    )
    return Network.founded(consortium, keys[members[0].name].signing)


def write_genesis(folder: RunFolder, network: Network) -> None:
    """Put the genesis file where nodes wait for it; it appears whole or not at all."""
    replace_private(folder.genesis, network.to_json().encode())


def write_operator_files(folder: RunFolder, source: Path, planned: tuple[PlannedSend, ...]) -> None:
    """Keep the scenario with its values, and the drawn plan without them, where no node looks."""
    with open(open_private(folder.scenario, 1), "wb") as copy, source.open("rb") as original:
        shutil.copyfileobj(original, copy)
    lines = [
        json.dumps(
            {"id": send.id, "as": send.sender, "to": list(send.readers)}
            | ({"waits_for": str(send.trigger)} if send.trigger is not None else {}),
            separators=(",", ":"),
        )
        for send in planned
    ]
    replace_private(folder.plan, "".join(line + "\n" for line in lines).encode())

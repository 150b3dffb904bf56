"""The operator plays disclosures and requests: as each party's own client would, with that party's key."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from node.chain.act import ActTransaction
from node.chain.deeds import Purge
from node.chain.reading import read_node
from node.chain.standing import Standing
from node.delivery.outgoing import submit
from node.disclosure.disclosing import Author, check_consent, consent, disclose, request, revoke
from node.envelopes.payload import Payload
from node.envelopes.transaction import PublicHeader, signed_bytes
from node.erasing.purge_reading import due_heights
from node.errors import PrivityError
from node.run_folder import CARRIER, RECORD, Label
from node.wire import Inclusion
from scenarios.model.disclosures import latest_request
from scenarios.model.scenario import Ask, Disclose, Erase, OwnersWord
from scenarios.step_lines import done_line

if TYPE_CHECKING:
    from scenarios.operating import Operator
    from scenarios.sending import Sent


OnRecord = Disclose | Ask | OwnersWord | Erase
"""The steps that put an act on the ledger."""


@dataclass(slots=True)
class Recorded:
    """An act that the operator handed in for a party, and what became of it and of its carrier."""

    step: OnRecord
    tx: bytes
    at_ms: int
    done: bool = False


class Showing:
    """Carries out the steps `disclose`, `request`, `consent`, `revoke` and `purge` of one run."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self.recorded: dict[str, Recorded] = {}  # By the id of the step.

    async def play(self, step: OnRecord, within_s: float, at: str) -> None:
        """Carry out one step, due `at` a time in words. What it speaks of must be ordered first.

        Nobody waits for longer than `within_s`.
        """
        sent = self._operator.sent.get(step.tx)
        height = ""
        proofs = {} if sent is None else await self._confirmed([sent.tx], _author(step), within_s)
        if sent is not None and proofs:
            if isinstance(step, Disclose):
                height = await self._disclose(step, sent, proofs[sent.tx].header.height, within_s)
            elif isinstance(step, OwnersWord):
                height = await self._say(step, sent, within_s)
            elif isinstance(step, Erase):
                act = self.author(step.owner).act(Purge(sent.tx, step.reason))
                height = await self._record(step, act, (), within_s)
            else:
                height = await self._ask(step, sent, within_s)
        done = bool(height)
        if isinstance(step, Disclose):
            word, who = "disclose", f"{step.discloser} -> {', '.join(step.receivers)}"
        elif isinstance(step, OwnersWord):
            # What is hidden on the ledger is hidden here too: others may look over the operator's shoulder.
            whom = f"{len(step.parties)} hidden" if step.hidden else ", ".join(step.parties)
            word, who = "consent" if step.agreed else "revoke", f"{step.owner} -> {whom}"
        elif isinstance(step, Erase):
            word, who = "purge", f"{step.owner} -> every node"
        else:
            word, who = "request", f"{step.asker} -> {step.of}"
        refused = self._operator.refused_steps.get(step.id)
        mark = f"refused   {refused}" if refused else "✓" if done else "no certificate yet"
        self._operator.say("step", done_line(at, word, step.tx, who, height, mark))
        if refused:
            self._operator.events.emit("step.refused", "warn", id=step.id, err=refused)
        else:
            self._operator.events.emit("step.done", id=step.id, ok=done)

    async def _say(self, step: OwnersWord, sent: Sent, within_s: float) -> str:
        """The owner's own word, made with what it sealed itself."""
        assert sent.sealed is not None, "it was sealed here"
        by, payload, whom = self.author(step.owner), sent.sealed.payload, step.parties
        if step.agreed:
            until = by.valid_from + step.blocks if step.blocks else 0
            act = consent(by, sent.tx, payload, whom, step.reason, until, hidden=step.hidden)
        else:
            act = revoke(by, sent.tx, payload, whom, step.reason, hidden=step.hidden)
        return await self._record(step, act, whom, within_s)

    async def _may(self, step: Disclose, header: PublicHeader, payload: Payload) -> bool:
        """Whether the discloser's own ledger has the consents that it needs; a breach asks nobody.

        What is erased by then is not there to be shown, whoever wants to.
        """
        operator = self._operator
        await operator.statuses()
        ledger = read_node(operator.folder.node(step.discloser), operator.network)
        if sha256(signed_bytes(header)).digest() in due_heights(ledger):
            operator.refused_steps[step.id] = "E-ERASED"
            return False
        if step.breach:
            return True
        try:
            height = max(operator.height, ledger.height)
            standing = Standing.of(ledger.acts())
            check_consent(payload, header, step.discloser, step.receivers, standing, height)
        except PrivityError as error:
            self._operator.refused_steps[step.id] = error.code
            return False
        return True

    async def _ask(self, step: Ask, sent: Sent, within_s: float) -> str:
        act = request(self.author(step.asker), sent.tx, step.of, step.reason)
        return await self._record(step, act, (step.of,), within_s)

    async def _disclose(self, step: Disclose, sent: Sent, ordered_at: int, within_s: float) -> str:
        """First the record, then the carrier: nobody reads before everybody can know who showed it."""
        operator = self._operator
        assert sent.sealed is not None, "it was sealed here"
        transaction = sent.sealed.transaction
        opened = await operator.opening.opened(step.discloser, sent, within_s)
        if opened is None:
            return ""
        if not await self._may(step, transaction.header, opened.payload):
            return ""
        asked = latest_request(step, operator.scenario.asked) if step.answers else None
        if asked is not None:
            await self._until_recorded(asked, within_s)
            if asked not in self.recorded:
                return ""
        try:
            made = disclose(
                self.author(step.discloser),
                opened.payload,
                transaction.header,
                ordered_at=ordered_at,
                receivers=step.receivers,
                reason=step.reason,
                fields=step.fields,
                answers=None if asked is None else self.recorded[asked].tx,
            )
        except PrivityError as error:
            if error.code != "E-ERASED":
                raise
            return ""  # Too late: the nodes have erased it, or are about to.
        holders = (step.discloser, *operator.network.with_mandatory(step.discloser, step.receivers))
        operator.secrets.add_disclosure(made, frozenset(holders))
        recorded = await self._record(step, made.record, step.receivers, within_s)
        if not recorded:
            return ""
        self.recorded[step.id].done = False
        carrier = made.carrier.transaction
        name, at_ms = f"{step.id}-carrier", operator.since_ms()
        keys, others = operator.keys[step.discloser], holders[1:]
        try:
            await submit(operator.client, operator.network, made.carrier, keys, others, name)
        except PrivityError as error:
            operator.say("step", f"      disclose  {step.id:<12} {error.what}   {error.code}")
            return ""
        label = Label(name, carrier.id.hex(), step.discloser, step.receivers, at_ms, CARRIER)
        operator.folder.add_transaction(label)
        proofs = await self._confirmed([carrier.id], step.discloser, within_s)
        self.recorded[step.id].done = bool(proofs)
        return f"{recorded}-{proofs[carrier.id].header.height}" if proofs else ""

    async def _record(self, step: OnRecord, act: ActTransaction, to: tuple[str, ...], within_s: float) -> str:
        operator = self._operator
        operator.client.submit(act, None)
        at_ms = operator.since_ms()
        self.recorded[step.id] = Recorded(step, act.id, at_ms)
        operator.folder.add_transaction(Label(step.id, act.id.hex(), act.act.sender, to, at_ms, RECORD))
        operator.events.emit("tx.submit", tx=act.id, id=step.id, party=act.act.sender)
        proofs = await self._confirmed([act.id], act.act.sender, within_s)
        self.recorded[step.id].done = bool(proofs)
        return f"block {proofs[act.id].header.height}" if proofs else ""

    async def _confirmed(self, ids: list[bytes], name: str, within_s: float) -> Mapping[bytes, Inclusion]:
        operator = self._operator
        asker = (name, operator.keys[name].signing)
        proofs = await operator.client.certified(ids, asker, within_s)
        for proof in proofs.values():
            operator.saw_height(proof.header.height)
        return proofs

    def author(self, name: str) -> Author:
        """A party's client, as of the height that is known."""
        operator, height = self._operator, max(1, self._operator.height)
        network = operator.network
        until = height + network.rules.validity_window
        return Author(name, operator.keys[name], network, operator.entropy, height, until)

    async def _until_recorded(self, identifier: str, within_s: float) -> None:
        """A disclosure that answers a request is made once that was handed in."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while identifier not in self.recorded and loop.time() < until:
            await asyncio.sleep(0.05)


def _author(step: OnRecord) -> str:
    if isinstance(step, OwnersWord | Erase):
        return step.owner
    return step.discloser if isinstance(step, Disclose) else step.asker

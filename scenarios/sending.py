"""The operator hands in payloads: each as its sender's own client would, with that party's keys."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from node.delivery.outgoing import submit
from node.duration import seconds_text
from node.envelopes.envelope import Sealed, seal
from node.envelopes.rule import with_rule
from node.errors import PrivityError
from node.run_folder import Label
from node.wire import Inclusion, TransactionPacket, encode
from scenarios.lying import lie
from scenarios.lying_shares import misdeal
from scenarios.model.objects import with_write
from scenarios.model.payloads import CANARY_FIELD
from scenarios.model.plan import PlannedSend
from scenarios.model.scenario import Replay
from scenarios.step_lines import blocks_text, done_line, parties_text, step_line
from scenarios.together import Together
from scenarios.writing_objects import writes_told

if TYPE_CHECKING:
    from scenarios.operating import Operator

CONFIRM_S = 30.0


@dataclass(slots=True)
class Sent:
    """A transaction that the operator submitted for a party, and what became of it."""

    planned: PlannedSend
    tx: bytes
    at_ms: int
    packet: bytes = field(repr=False)
    sealed: Sealed | None = field(default=None, repr=False)
    proof: Inclusion | None = None
    refused: str = ""  # The code of what kept it from being handed in for ordering.


@dataclass(frozen=True, slots=True)
class Replayed:
    """A transaction that was handed in once more, and when."""

    tx: bytes
    at_ms: int


class Sending:
    """Carries out the steps `send`, `load` and `replay` of one run."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self.sent: dict[str, Sent] = {}  # By the id of the transaction.
        self.replayed: dict[str, Replayed] = {}  # By the id of the step.

    async def play(self, name: str, sends: Sequence[PlannedSend], began_ms: int) -> None:
        """Carry out one step `send` or `load`: hand all in, each at its time, and wait for certificates."""
        async with Together[bool]() as handing:
            for send in sends:
                await self._operator.sleep_until(began_ms + send.at_ms)
                handing.add(self.hand_in(send, began_ms))
                await asyncio.sleep(0)
        ordered = [send for send, ok in zip(sends, handing.results, strict=True) if ok]
        confirmed = await self.confirm([send.id for send in ordered]) if ordered else 0
        written = await writes_told(self._operator, ordered)
        if ordered or len(sends) > 1:
            self._tell(name, sends, confirmed, began_ms, written)

    async def replay(self, step: Replay, began_ms: int) -> None:
        """Hand in an earlier transaction once more, and see that it leads to nothing before going on."""
        operator = self._operator
        await operator.sleep_until(began_ms + step.at_ms)
        sent = self.sent.get(step.tx)
        if sent is None:
            operator.triggers.miss(step, f"{step.tx} was not sent by then")
            return
        operator.client.publish(sent.packet)
        self.replayed[step.id] = Replayed(sent.tx, operator.since_ms())
        operator.events.emit("step.done", id=step.id, ok=True)
        at = seconds_text(began_ms + step.at_ms)
        operator.say("step", step_line(at, "replay", step.id, step.tx))

    async def hand_in(self, send: PlannedSend, began_ms: int = 0) -> bool:
        """Submit a planned transaction; False if its readers' nodes gave too few receipts, which is told."""
        try:
            await self.submit(send)
        except PrivityError as error:
            if error.code != "E-RECEIPTS":
                raise
            operator = self._operator
            self.sent[send.id].refused = error.code
            operator.events.emit("step.refused", "warn", id=send.id, err=error.code)
            at = seconds_text(began_ms + send.at_ms)
            operator.say("step", step_line(at, "send", send.id, f"{error.what}   {error.code}"))
            return False
        return True

    async def submit(self, send: PlannedSend) -> Sent:
        """Seal one planned transaction as its sender, with a canary leaf, and publish it.

        With off-chain payloads its readers' nodes get the blob first; raises PrivityError E-RECEIPTS when too
        few of them say so, and then nothing is published.
        """
        operator = self._operator
        network, keys, entropy = operator.network, operator.keys[send.sender], operator.entropy
        height = max(1, operator.height)
        under = network.seals.get(send.seal)
        fields = with_rule(with_write(send.fields, send.writes), send.redisclose)
        fields |= {CANARY_FIELD: entropy(16)}
        sealed = seal(
            fields,
            readers=[operator.keys[name].wrapping.public for name in (send.sender, *send.readers)],
            network=network.id,
            sender=send.sender,
            policy=network.policy_hash,
            valid_from=height,
            valid_until=height + network.rules.validity_window,
            signing_key=keys.signing,
            entropy=entropy,
            keep=send.keep,
            locked=None if under is None else network.locked(under),
        )
        if send.deceived:
            sealed = lie(operator, send, sealed)
        if send.misdealt and under is not None:
            sealed = misdeal(operator, send, sealed, under)
        holders = frozenset((send.sender, *send.readers, *(() if under is None else under.then_to)))
        operator.secrets.add_sealed(sealed, holders.difference(send.deceived))
        if under is not None:
            operator.secrets.add_shares(sealed.transaction.header.core, sealed.content_key, under)
        tx, at_ms = sealed.transaction.id, operator.since_ms()
        packet = encode(TransactionPacket(sealed.transaction, None if network.off_chain else sealed.blob))
        sent = self.sent[send.id] = Sent(send, tx, at_ms, packet, sealed)
        later = () if under is None else tuple(name for name in under.then_to if name not in send.readers)
        to = (*send.readers, *(name for name in later if name != send.sender))
        operator.folder.add_transaction(Label(send.id, tx.hex(), send.sender, to, at_ms))
        operator.events.emit(
            "tx.submit",
            tx=tx,
            id=send.id,
            party=send.sender,
            readers_n=len(send.readers),
            bytes=sealed.transaction.header.core.size_bucket,
        )
        await submit(operator.client, network, sealed, keys, send.readers, send.id)
        return sent

    async def confirm(self, names: Sequence[str], within_s: float = CONFIRM_S) -> int:
        """Wait for both certificates of each of these transactions; how many came in time."""
        open_ones = {self.sent[name].tx: self.sent[name] for name in names}
        first = self.sent[names[0]].planned.sender
        operator = self._operator
        within_s += operator.patience_s() if operator.scenario.faults else 0.0
        proofs = await operator.client.certified(
            list(open_ones), (first, operator.keys[first].signing), within_s
        )
        for tx, proof in proofs.items():
            open_ones[tx].proof = proof
            operator.saw_height(proof.header.height)
        return len(proofs)

    def _tell(
        self, name: str, sends: Sequence[PlannedSend], confirmed: int, began_ms: int, written: str
    ) -> None:
        operator, first, at = self._operator, sends[0], seconds_text(began_ms + sends[0].at_ms)
        proofs = [self.sent[send.id].proof for send in sends]
        blocks = blocks_text(proof.header.height for proof in proofs if proof is not None)
        if len(sends) == 1 and first.id == name:
            readers = "sealed" if first.seal else parties_text(first.readers)
            mark = f"✓ {written}".rstrip() if confirmed else "no certificate yet"
            if first.seal and confirmed:
                mark = operator.opening.mark_of(self.sent[name])
            line = done_line(at, "send", name, f"{first.sender} -> {readers}", blocks, mark)
        else:
            lacking = f"{len(sends) - confirmed} without certificate"
            mark = f"✓ {written}".rstrip() if confirmed == len(sends) else lacking
            line = done_line(at, "load", name, f"{confirmed} of {len(sends)} ordered", blocks, mark)
        operator.say("step", line)
        operator.events.emit("step.done", id=name, ok=confirmed == len(sends))

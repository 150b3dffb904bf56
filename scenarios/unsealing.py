"""The operator opens seals: as each opener's own client would, with that opener's key and its node's disk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from node.chain.act import ActTransaction
from node.chain.reading import NodeReading, read_node
from node.duration import seconds_text
from node.envelopes.envelope import NotAParty, Opened, Unreadable
from node.envelopes.transaction import Blob
from node.errors import PrivityError
from node.run_folder import RECORD, Label
from node.seals.challenging import lacking_of
from node.seals.opening import challenge, is_owed, release, request_opening
from node.seals.seal import Seal
from node.seals.unsealing import open_sealed
from node.wire import Inclusion
from scenarios.lying_shares import instead_of
from scenarios.model.challenges import Challenging
from scenarios.model.lies import opener_lies
from scenarios.model.seals import Opening
from scenarios.step_lines import blocks_text, step_line

if TYPE_CHECKING:
    from scenarios.operating import Operator
    from scenarios.sending import Sent

LOOK_S = 0.05


@dataclass(slots=True)
class Attempt:
    """What became of one opener's part in a step: the codes of refusals, the blocks of what was ordered."""

    opener: str
    request: bytes = b""
    refused: str = ""
    blocks: list[int] = field(default_factory=list)
    released: int = 0  # Payloads of which it handed its share over.
    missing: int = 0  # Those for which it did not, for want of a ciphertext or of time.
    withheld: int = 0  # Those for which it did not, because a fault makes it a liar.


class OpeningSeals:
    """Carries out the steps `open` of one run, and opens for the operator what lies under a seal."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self.attempts: dict[str, list[Attempt]] = {}  # By the id of the step.

    async def play(self, step: Opening, within_s: float, at: str) -> None:
        """Carry out one step, due `at` a time in words.

        Each opener asks, and once its request counts, releases its shares.
        """
        operator = self._operator
        seal = operator.network.seals[step.seal]
        counts: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        parts = [self._open(step, seal, name, counts, within_s) for name in step.openers]
        attempts = self.attempts[step.id] = list(await asyncio.gather(*parts))
        refused = {each.refused for each in attempts if each.refused}
        blocks = blocks_text(height for each in attempts for height in each.blocks)
        as_wanted = step.expect_refused == (len(refused) > 0)
        if refused:
            how = "refused, as expected" if step.expect_refused else "refused"
            mark = f"{how} {' '.join(sorted(refused))}" + (" ✓" if as_wanted else " ✗")
        elif not blocks:
            mark, as_wanted = "no certificate yet", False
        elif step.expect_refused:
            mark = "not refused ✗"
        else:
            mark = f"shares of {max(each.released for each in attempts)} handed over"
            lacking = [each.opener for each in attempts if each.missing]
            mark += f"; not all by {', '.join(lacking)}" if lacking else " ✓"
            kept = [each.opener for each in attempts if each.withheld]
            mark += f"; kept back by {', '.join(kept)}" if kept else ""
        what = f"{step.seal} by {', '.join(step.openers)}"
        operator.say("step", step_line(at, "open", f"{what:<37}", f"{blocks:<12} {mark}"))
        if refused:
            operator.events.emit("step.refused", "warn", id=step.id, err=sorted(refused)[0])
        else:
            operator.events.emit("step.done", id=step.id, ok=as_wanted)

    async def _open(
        self, step: Opening, seal: Seal, name: str, counts: asyncio.Future[int], within_s: float
    ) -> Attempt:
        """Ask, and go on when a request counts, be it another opener's: DESIGN, Seals.

        `counts` is the height of the first that did.
        """
        operator, attempt = self._operator, Attempt(name)
        try:
            act = request_opening(operator.showing.author(name), seal)
        except PrivityError as error:
            attempt.refused = error.code
            return attempt
        attempt.request = act.id
        asking = asyncio.ensure_future(self._ask(step, seal, attempt, act, counts, within_s))
        try:
            await asyncio.wait((asking, counts), return_when=asyncio.FIRST_COMPLETED)
            if counts.done() and not attempt.refused:
                await self._release(step, seal, attempt, counts.result(), within_s)
            await asking
        finally:
            asking.cancel()
        return attempt

    async def _ask(
        self,
        step: Opening,
        seal: Seal,
        attempt: Attempt,
        act: ActTransaction,
        counts: asyncio.Future[int],
        within_s: float,
    ) -> None:
        operator = self._operator
        proofs = await self._order([(f"{step.id}-{attempt.opener}", act)], attempt.opener, seal, within_s)
        if act.id not in proofs:
            return
        header = proofs[act.id].header
        attempt.blocks.append(header.height)
        if not seal.is_open(header.height, header.time_ms - operator.network.created_ms):
            attempt.refused = "E-SEAL-EARLY"
        elif not counts.done():
            counts.set_result(header.height)

    async def _release(
        self, step: Opening, seal: Seal, attempt: Attempt, height: int, within_s: float
    ) -> None:
        """From what lies on the opener's own node: it must have come that far, and hold what was sealed."""
        operator, name = self._operator, attempt.opener
        node = await self._reached(name, height, within_s)
        if node is None:
            return
        acts: list[tuple[str, ActTransaction]] = []
        for bid in node.seals.states[seal.name].on_time:
            transaction = node.private_of(bid.tx)
            blob = await self._blob(name, bid.tx, within_s)
            made = None if blob is None else release(operator.showing.author(name), transaction, blob)
            if made is None:
                attempt.missing += 1
                continue
            if not is_owed(node.seals.states[seal.name], name, made):
                continue  # Another step of its was first.
            fault = opener_lies(operator.scenario, step, name)
            said = instead_of(operator, fault, seal, name, made, bid.tx)
            if said is None:
                attempt.withheld += 1
            else:
                acts.append((f"{step.id}-{name}-{len(acts) + 1}", said))
        proofs = await self._order(acts, name, seal, within_s)
        attempt.blocks += [proof.header.height for proof in proofs.values()]
        attempt.released = len(proofs)
        attempt.missing += len(acts) - len(proofs)

    async def challenge(self, step: Challenging, within_s: float) -> None:
        """Carry out one challenge: about each payload of which the author's own ledger has no good share."""
        operator, name = self._operator, step.author
        seal, by = operator.network.seals[step.seal], operator.showing.author(name)
        node, key = self._read(name), operator.keys[name].wrapping
        acts: list[tuple[str, ActTransaction]] = []
        if node.seals.states[seal.name].opened is not None:
            lacking = lacking_of(operator.network, node, seal, name, key, step.of)
            acts = [(f"{step.id}-{place}", challenge(by, tx, step.of)) for place, tx in enumerate(lacking, 1)]
        if not acts:
            operator.triggers.miss(step, f"{name} has a good share of {step.of} for all under {seal.name}")
            return
        proofs = await self._order(acts, name, seal, within_s)
        blocks = blocks_text(proof.header.height for proof in proofs.values())
        done = len(proofs) == len(acts)
        mark = f"{len(proofs)} of {len(acts)} recorded" + (" ✓" if done else "")
        what, at = f"{step.seal}: {name} -> {step.of}", seconds_text(step.at_ms)
        operator.say("step", step_line(at, "challenge", f"{what:<37}", f"{blocks:<12} {mark}"))
        operator.events.emit("step.done", id=step.id, ok=done)

    async def _order(
        self, acts: Sequence[tuple[str, ActTransaction]], author: str, seal: Seal, within_s: float
    ) -> dict[bytes, Inclusion]:
        operator = self._operator
        for label, act in acts:
            operator.client.submit(act, None)
            operator.folder.add_transaction(
                Label(label, act.id.hex(), author, seal.then_to, operator.since_ms(), RECORD)
            )
            operator.events.emit("tx.submit", tx=act.id, id=label, party=author)
        if not acts:
            return {}
        asker = (author, operator.keys[author].signing)
        proofs = await operator.client.certified([act.id for _, act in acts], asker, within_s)
        for proof in proofs.values():
            operator.saw_height(proof.header.height)
        return proofs

    async def opened(self, name: str, sent: Sent, within_s: float) -> Opened | None:
        """What this party reads of a transaction; of what lies under a seal, once it was opened to it."""
        operator, found = self._operator, None
        assert sent.sealed is not None
        transaction, key = sent.sealed.transaction, operator.keys[name].wrapping
        until = asyncio.get_running_loop().time() + within_s
        while True:
            releases = []
            if sent.planned.seal and name != sent.planned.sender:
                releases = self._read(name).seals.releases_of(sent.tx)
            try:
                found = open_sealed(operator.network, transaction, sent.sealed.blob, name, key, releases)
                return found.opened
            except (NotAParty, Unreadable):
                if not sent.planned.seal or asyncio.get_running_loop().time() >= until:
                    return None
            await asyncio.sleep(LOOK_S)

    def mark_of(self, sent: Sent) -> str:
        """Whether what was sent under a seal came in time for it, and whether it was to."""
        operator = self._operator
        if sent.proof is None:
            return "no certificate yet"
        seal = operator.network.seals[sent.planned.seal]
        header = sent.proof.header
        late = seal.is_open(header.height, header.time_ms - operator.network.created_ms)
        wanted = any(
            sent.planned.id in step.transactions and getattr(step, "expect_refused", False)
            for step in operator.scenario.workload
        )
        if not late:
            return "✓" if not wanted else "not refused ✗"
        return "refused, as expected E-SEAL-LATE ✓" if wanted else "refused E-SEAL-LATE ✗"

    async def _reached(self, name: str, height: int, within_s: float) -> NodeReading | None:
        """A node's folder once it has executed this block; None if it does not come so far in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while (node := self._read(name)).height < height:
            if loop.time() >= until:
                return None
            await asyncio.sleep(LOOK_S)
        return node

    async def _blob(self, name: str, tx: bytes, within_s: float) -> Blob | None:
        """The ciphertext as it lies on a node's disk, once it does; None if it does not in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while (blob := NodeReading(name, self._operator.home(name)).blob(tx)) is None:
            if loop.time() >= until:
                return None
            await asyncio.sleep(LOOK_S)
        return blob

    def _read(self, name: str) -> NodeReading:
        return read_node(self._operator.home(name), self._operator.network)

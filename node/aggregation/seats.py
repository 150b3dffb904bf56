"""The parties of a round as clients: each follows its own node, and signs and sends with its own keys.

A party takes its turn only when its own node answers: whoever's node is down is absent, and comes back to a
round that may have gone on without it. Nothing goes from seat to seat but through the ledger.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from node.aggregation.boxes import total_hash
from node.aggregation.contributor import Contributor, Verdict
from node.aggregation.coordinator import Announce, Coordinator
from node.aggregation.envelopes import fits, opened_from
from node.aggregation.following import LedgerFollower
from node.aggregation.rounds import DONE, RELEASING, Round
from node.canonical import encode
from node.chain.act import ActTransaction
from node.chain.round_deeds import RoundDeed, RoundResult
from node.client import Client
from node.consortium import Network
from node.disclosure.disclosing import Author
from node.envelopes.entropy import Entropy
from node.envelopes.keys import PartyKeys
from node.wire import TransactionPacket

POLL_S = 0.1
ANSWER_S = 0.3
AGAIN_S = 3.0
LINGER_S = 3.0
"""How long a round that is over waits for those who have not compared the total yet."""
WITHHELD_S = 12.0
"""How long a contributor that knows the total waits for the coordinator's: it may have to hand the envelope
to nodes that are away, twice, before it publishes."""

Say = Callable[[str, Mapping[str, str]], None]
Carry = Callable[[Announce, Round, Sequence[str]], Awaitable[bytes]]


@dataclass(slots=True)
class Seat:
    """One party: its machine, its keys, its own ledger, and what it sent that is not on that ledger yet."""

    name: str
    keys: PartyKeys
    ledger: LedgerFollower
    machine: Contributor | Coordinator
    sent: dict[bytes, tuple[bytes, float]] = field(default_factory=dict)
    envelope: bool | None = None  # Whether the one that came fits the ledger.
    knew_at: float | None = None  # Since when it knows the total that nobody has announced.
    withheld: bool = False


class Seats:
    """Plays one round from its start to its end.

    `carry(announce, round, up)` sends the total in an envelope and gives its id; `say(event, fields)` is told
    what happens; `sending(act)` sees each act before it is published.
    """

    def __init__(
        self,
        client: Client,
        network: Network,
        entropy: Entropy,
        coordinator: Seat,
        contributors: Sequence[Seat],
        carry: Carry,
        say: Say,
        sending: Callable[[ActTransaction], None],
    ) -> None:
        self._client = client
        self._network = network
        self._entropy = entropy
        self._coordinator = coordinator
        self._contributors = {seat.name: seat for seat in contributors}
        self._carry = carry
        self._say = say
        self._sending = sending
        self._told: set[tuple[str, str]] = set()
        self.id = b""

    async def play(self, within_s: float) -> Round | None:
        """The round as the coordinator's ledger tells it in the end; None if it never came on a ledger."""
        loop = asyncio.get_running_loop()
        deadline, over_at = loop.time() + within_s, 0.0
        machine = self._coordinator.machine
        assert isinstance(machine, Coordinator)
        while loop.time() < deadline:
            heights = await self._up()
            if not self.id and self._coordinator.name in heights:
                self.id = self._submit(self._coordinator, machine.start, heights)
            for name, seat in self._contributors.items():
                if name in heights and (at := self._look(seat)) is not None:
                    assert isinstance(seat.machine, Contributor)
                    for deed in seat.machine.react(at):
                        self._submit(seat, deed, heights)
                    self._look_into_envelope(seat, at)
                    self._see_withheld(seat, at, heights)
                    self._tell_of(seat, at)
            await self._coordinate(machine, heights)
            at = self._coordinator.ledger.rounds.by_id.get(self.id)
            if at is not None and self._all_missed_it(at):
                break
            if at is not None and at.over:
                over_at = over_at or loop.time()
                if self._all_compared(at, heights) or loop.time() > over_at + LINGER_S:
                    break
            await asyncio.sleep(POLL_S)
        for seat in self._contributors.values():
            assert isinstance(seat.machine, Contributor)
            seat.machine.forget()
        return self._coordinator.ledger.rounds.by_id.get(self.id)

    def verdicts(self) -> dict[str, Verdict]:
        """What each contributor says of the total."""
        found = {}
        for name, seat in self._contributors.items():
            assert isinstance(seat.machine, Contributor)
            found[name] = seat.machine.verdict
        return found

    async def _up(self) -> dict[str, int]:
        """The heights of those parties whose own nodes answer now."""
        everybody = [self._coordinator, *self._contributors.values()]
        askers = [(seat.name, seat.keys.signing) for seat in everybody]
        statuses = await self._client.statuses(askers, ANSWER_S)
        return {name: status.sequence for name, status in statuses.items()}

    def _look(self, seat: Seat) -> Round | None:
        seat.ledger.look()
        now = asyncio.get_running_loop().time()
        for act, (packet, at) in list(seat.sent.items()):
            if act in seat.ledger.seen:
                del seat.sent[act]
            elif now >= at:  # It may have been lost on the way.
                self._client.publish(packet)
                seat.sent[act] = (packet, now + AGAIN_S)
        return seat.ledger.rounds.by_id.get(self.id)

    async def _coordinate(self, machine: Coordinator, heights: Mapping[str, int]) -> None:
        seat = self._coordinator
        if seat.name not in heights or (at := self._look(seat)) is None:
            return
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        for thing in machine.react(seat.ledger.rounds, at, now_ms):
            if isinstance(thing, Announce):
                carrier = await self._carry(thing, at, [n for n in at.present if n in heights])
                result = RoundResult(at.id, carrier, total_hash(at.id, thing.salt, thing.total))
                self._submit(seat, result, heights)
            else:
                self._submit(seat, thing, heights)
        for liar, why in machine.unmasked.liars.items():
            self._tell("agg.blame", party=liar, by=seat.name, why=why)

    def _submit(self, seat: Seat, deed: RoundDeed, heights: Mapping[str, int]) -> bytes:
        height = max(1, heights[seat.name])
        until = height + self._network.rules.validity_window
        author = Author(seat.name, seat.keys, self._network, self._entropy, height, until)
        act = author.act(deed)
        self._sending(act)
        self._client.submit(act, None)
        again_at = asyncio.get_running_loop().time() + AGAIN_S
        seat.sent[act.id] = (encode(TransactionPacket(act, None)), again_at)
        self._tell("agg.act", party=seat.name, why=type(deed).__name__)
        return act.id

    def _look_into_envelope(self, seat: Seat, at: Round) -> None:
        """What the coordinator sent it must be what it published."""
        if at.result is None or seat.name not in at.present or seat.envelope is not None:
            return
        opened = opened_from(seat.ledger.folder, self._network, at.result.carrier, seat.keys.wrapping)
        if opened is not None:
            seat.envelope = fits(opened.payload.fields(), at)

    def _see_withheld(self, seat: Seat, at: Round, heights: Mapping[str, int]) -> None:
        """A coordinator whose node has all that it takes, and that announces nothing, keeps the total back.

        Of one whose node is away nobody can tell.
        """
        assert isinstance(seat.machine, Contributor)
        has_all = heights.get(self._coordinator.name, 0) >= at.last_height
        if at.phase != RELEASING or not has_all or seat.machine.unmasked.total is None:
            seat.knew_at = None
            return
        now = asyncio.get_running_loop().time()
        seat.knew_at = seat.knew_at or now
        seat.withheld = seat.withheld or now - seat.knew_at >= WITHHELD_S

    def _all_missed_it(self, at: Round) -> bool:
        """Whether every contributor whose total was kept back has noticed."""
        if at.phase != RELEASING:
            return False
        waiting = [seat for seat in self._contributors.values() if seat.knew_at is not None]
        return bool(waiting) and all(seat.withheld for seat in waiting)

    def _tell_of(self, seat: Seat, at: Round) -> None:
        machine = seat.machine
        assert isinstance(machine, Contributor)
        for liar, why in at.blamed.items():
            if liar != machine.name:
                self._tell("agg.blame", party=liar, by=machine.name, why=why)
        if seat.withheld:
            why = "learned the total and announced none"
            self._tell("agg.blame", party=self._coordinator.name, by=machine.name, why=why)
        for liar, why in machine.unmasked.liars.items():
            self._tell("agg.blame", party=liar, by=machine.name, why=why)
        for dealer, why in machine.unproven.items():
            if dealer in at.blamed:
                continue  # Proved meanwhile, to everybody.
            self._tell("agg.blame", party=dealer, by=machine.name, why=why)
        if machine.verdict is Verdict.WRONG:
            self._tell(
                "agg.blame", party=self._coordinator.name, by=machine.name, why="published a wrong total"
            )
        if seat.envelope is False:
            why = "sent another total than it published"
            self._tell("agg.blame", party=self._coordinator.name, by=machine.name, why=why)

    def _tell(self, event: str, *, party: str, why: str, by: str = "") -> None:
        key = (event, f"{party} {by} {why}")
        if key not in self._told:
            self._told.add(key)
            self._say(event, {"party": party, "by": by, "why": why})

    def _all_compared(self, at: Round, heights: Mapping[str, int]) -> bool:
        if at.phase != DONE:
            return True
        verdicts = self.verdicts()
        here = [name for name in at.present if name in heights]
        return all(
            verdicts[name] is not Verdict.OPEN and self._contributors[name].envelope is not None
            for name in here
        )

"""What became of a round, as those know it who played it for the parties, and what they log of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from node.aggregation.contributor import Verdict
from node.aggregation.envelopes import NO_CARRIER
from node.aggregation.rounds import DONE, Round
from node.chain.act import ActTransaction
from node.chain.round_deeds import RoundStart, RoundValue
from node.errors import PrivityError
from node.logs.events import EventLog


@dataclass(slots=True)
class Played:
    """`round` as the coordinator's ledger tells it, None if its start is on no ledger.

    `verdicts` are of the contributors that compared the total, `blamed` has by party and by
    finder why, and `carrier` is the id of the transaction that brought the total.
    """

    round: Round | None = None
    carrier: bytes = b""
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    blamed: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def wrong(self) -> list[str]:
        """The contributors that found the total wrong."""
        return [name for name, verdict in self.verdicts.items() if verdict is Verdict.WRONG]

    @property
    def done(self) -> bool:
        """Whether there is a total, and nobody in it says that it is wrong."""
        return self.round is not None and self.round.phase == DONE and not self.wrong

    def first_blames(self) -> dict[str, str]:
        """By party, why the first who found something blames it."""
        return {party: next(iter(found.values())) for party, found in self.blamed.items()}

    def end(self, at: Round | None, verdicts: Mapping[str, Verdict]) -> None:
        """Take in what the seats know when the round is over or given up."""
        self.round = at
        self.verdicts = {name: each for name, each in verdicts.items() if each is not Verdict.OPEN}


class RoundLog:
    """Writes to a log what happens in the round that is called `label`."""

    def __init__(self, log: EventLog, label: str, played: Played) -> None:
        self._log = log
        self._label = label
        self._played = played

    def sending(self, act: ActTransaction) -> None:
        """An act is about to be published."""
        deed, author = act.act.deed, act.act.sender
        if isinstance(deed, RoundStart):
            need = len(deed.contributors)
            self._log.emit("agg.start", id=self._label, tx=act.id, party=author, need=need)
        if isinstance(deed, RoundValue):
            self._log.emit("agg.contribute", id=self._label, tx=act.id, party=author)

    def say(self, event: str, facts: Mapping[str, str]) -> None:
        """What happens in the round, as `Seats` tells it: who is blamed is kept, too."""
        if event == "agg.blame":
            party, by, why = facts["party"], facts["by"], facts["why"]
            self._played.blamed.setdefault(party, {}).setdefault(by, why)
            self._log.emit("agg.blame", "warn", id=self._label, party=party, from_=by, reason_code=why)

    def end(self) -> None:
        """How it ended: who was absent, why there is no total, what the contributors found."""
        if (at := self._played.round) is not None:
            for name, why in at.dropped().items():
                self._log.emit("agg.absent", "warn", id=self._label, party=name, reason_code=why)
            if at.ended:
                self._log.emit("agg.end", "warn", id=self._label, tx=at.id, reason_code=at.ended)
        for name, verdict in self._played.verdicts.items():
            ok = verdict is Verdict.RIGHT
            self._log.emit("agg.result", id=self._label, party=name, ok=ok)


async def carried(
    send: Callable[[Sequence[str]], Awaitable[bytes]],
    present: tuple[str, ...],
    up: Sequence[str],
    refused: Callable[[PrivityError], None],
) -> bytes:
    """Send the total to all in it; off chain, if not all of their nodes take it, to those that are up.

    `send(readers)` gives the id of what it sent; `refused` is told of each try that too few nodes took
    (E-RECEIPTS). Gives NO_CARRIER if there is none.
    """
    for readers in dict.fromkeys((present, tuple(up))):
        try:
            return await send(readers)
        except PrivityError as error:
            if error.code != "E-RECEIPTS":
                raise
            refused(error)
    return NO_CARRIER

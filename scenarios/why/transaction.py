"""Why one transaction has not arrived: not handed in, no block yet, or a reader who has not got it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from node.chain import store
from node.chain.ledger import EXECUTED
from node.chain.store import (
    DELIVERED,
    MISSING,
    NO_PAYLOAD,
    NOT_DELIVERED,
    NOT_PARTY,
    PENDING,
    PURGED,
    UNREADABLE,
)
from node.errors import CHECK_FAILED, FINE, UNCONFIRMED
from scenarios.model.plan import PlannedSend
from scenarios.model.starts import Place
from scenarios.proved_liars import ProvedLiar, liar_in_words
from scenarios.why import diagnosis as states
from scenarios.why.diagnosis import Diagnosis
from scenarios.why.known import Known, Submitted
from scenarios.why.on_record import NOTHING_ON_RECORD, OnRecord
from scenarios.why.reach import Missing
from scenarios.why.sealed import UnderSeal
from scenarios.why.wording import document_of, ended_line, line, lines_of, missing_document, seconds, why

PLANNED, WAITING, EXPIRED, REFUSED = "planned", "waiting", "expired", "refused"
UNDELIVERED, ARRIVED, SEALED = "undelivered", "delivered", "sealed"
ABSENT = "absent"  # A reader's node does not hold the block yet.

_STATE_WORDS = {
    PENDING: "has it, and has not looked at it yet, or has too few receipts for it",
    MISSING: "lacks the payload and asks for it",
    NOT_DELIVERED: "lacks the payload, and nobody that is up has given it",
    UNREADABLE: "refuses it: it does not meet its commitment",
    store.REFUSED: "refuses it: a mandatory reader was left out",
}


@dataclass(frozen=True, slots=True)
class Reader:
    """How far it is at one reader: a state of its payload, or `absent`. `away`: why its node is missing."""

    name: str
    state: str
    since_ms: int | None
    away: Missing | None


@dataclass(frozen=True, slots=True)
class TransactionDiagnosis:
    """One transaction at one moment. A planned one is to be handed in at `at_ms`, another was."""

    id: str
    tx: bytes | None
    state: str
    sender: str
    at_ms: int
    height: int | None
    readers: tuple[Reader, ...]
    network: Diagnosis
    liar: ProvedLiar | None = None  # Its sender, if somebody can prove that it lied.
    seal: UnderSeal | None = None  # Of one that lies under a seal unopened.
    trigger: Place | None = None  # What a planned one waits for; `at_ms` counts from then.
    no_effect: str = ""  # Why what it writes of a private object was refused by its readers.
    record: OnRecord = NOTHING_ON_RECORD

    @property
    def exit_code(self) -> int:
        """0 it has arrived, or is on its way; 1 something keeps it; 3 that could not be told."""
        network = self.network
        if self.record.receipts:
            return CHECK_FAILED
        if self.state == ARRIVED or (self.seal is not None and self.seal.as_it_should):
            return FINE
        if self.state in (PLANNED, WAITING) and network.ended is None:
            if network.state == states.UNKNOWN:
                return UNCONFIRMED
            if self.state == PLANNED and (self.trigger is not None or network.now_ms < self.at_ms):
                return FINE
            if self.state == WAITING and network.state in (states.WELL, states.DEGRADED):
                return FINE
        return CHECK_FAILED

    @property
    def lacking(self) -> tuple[Reader, ...]:
        """The readers that have not got it."""
        return tuple(reader for reader in self.readers if reader.state not in (DELIVERED, PURGED))


def diagnose_transaction(
    known: Known, network: Diagnosis, wanted: Submitted | PlannedSend
) -> TransactionDiagnosis:
    """What keeps a transaction, if anything does."""
    if isinstance(wanted, PlannedSend):
        at_ms, trigger = wanted.at_ms, wanted.trigger
        return TransactionDiagnosis(
            wanted.id, None, PLANNED, wanted.sender, at_ms, None, (), network, trigger=trigger
        )
    readers = _readers(known, network, wanted) if wanted.height is not None else ()
    if wanted.height is None:
        state = EXPIRED if wanted.expired else WAITING
    elif wanted.outcome != EXECUTED:
        state, readers = REFUSED, ()
    else:
        there = all(each.state in (DELIVERED, PURGED) for each in readers)
        state = ARRIVED if there else UNDELIVERED
    seal = known.sealed.get(wanted.tx) if state in (ARRIVED, UNDELIVERED) else None
    if seal is not None:
        state, readers = SEALED, ()
    liar = next((each for each in known.liars if each.tx == wanted.tx), None)
    where = (wanted.sender, wanted.at_ms, wanted.height, readers)
    no_effect = known.refused_writes.get(wanted.tx.hex()[:8], "")
    rest = (network, liar, seal)
    return TransactionDiagnosis(wanted.name, wanted.tx, state, *where, *rest, no_effect=no_effect)


def _readers(known: Known, network: Diagnosis, wanted: Submitted) -> tuple[Reader, ...]:
    """Those whom the sender named; of a transaction of others, those that tried and were not turned away."""
    away = {each.node: each for each in network.missing}
    named = {wanted.sender, *wanted.to} - {""}
    found = []
    for node in known.nodes:
        indexed = known.indexes.get(node.name, {}).get(wanted.tx)
        if named:
            is_reader = node.name in named
        else:
            is_reader = indexed is not None and indexed.payload not in (
                NOT_PARTY,
                NOT_DELIVERED,
                NO_PAYLOAD,
            )
        if is_reader:
            state = ABSENT if indexed is None else indexed.payload
            if state == NO_PAYLOAD:
                state = DELIVERED  # Of a public record there is nothing to open.
            since_ms = known.lacking_ms.get((node.name, wanted.tx.hex()[:8]))
            if since_ms is None and wanted.height is not None:
                since_ms = known.committed_ms.get(wanted.height)
            found.append(Reader(node.name, state, since_ms, away.get(node.name)))
    return tuple(found)


def transaction_lines(diagnosis: TransactionDiagnosis) -> list[str]:
    """What `privity why TX` prints."""
    network = diagnosis.network
    ended = [] if network.ended is None else [ended_line(network.run, network.ended)]
    lines = [*ended, answer(diagnosis)]
    if diagnosis.state == WAITING:
        return [*lines, *[each for each in lines_of(network) if each not in ended]]
    for reader in diagnosis.lacking:
        lines.append(line("lacks", _reader_text(reader)))
    if diagnosis.no_effect:
        lines.append(line("object", f"its write had no effect: {diagnosis.no_effect}"))
    lines += diagnosis.record.lines()
    if diagnosis.liar is not None:
        lines.append(line("liar", liar_in_words(diagnosis.liar.document(diagnosis.id))))
    if diagnosis.lacking and network.ended is None and diagnosis.liar is None:
        lines.append(line("next", _next(diagnosis)))
    return lines


def transaction_document(diagnosis: TransactionDiagnosis) -> dict[str, Any]:
    """The document of the network, with the transaction in it."""
    return document_of(diagnosis.network) | {
        "tx": {
            "id": diagnosis.id,
            "tx": None if diagnosis.tx is None else diagnosis.tx.hex(),
            "state": diagnosis.state,
            "answer": answer(diagnosis),
            "sender": diagnosis.sender or None,
            "at": diagnosis.at_ms / 1000,
            "waits_for": None if diagnosis.trigger is None else str(diagnosis.trigger),
            "height": diagnosis.height,
            "liar": None if diagnosis.liar is None else diagnosis.liar.document(diagnosis.id),
            "no_effect": diagnosis.no_effect or None,
            **diagnosis.record.document(),
            "readers": [
                {
                    "node": reader.name,
                    "state": reader.state,
                    "since": None if reader.since_ms is None else reader.since_ms / 1000,
                    "missing": None if reader.away is None else missing_document(reader.away),
                }
                for reader in diagnosis.readers
            ],
        }
    }


def answer(diagnosis: TransactionDiagnosis) -> str:
    """The answer in one sentence."""
    name, at, network = diagnosis.id, seconds(diagnosis.at_ms), diagnosis.network
    height = f"block {diagnosis.height}"
    match diagnosis.state:
        case "planned" if diagnosis.trigger is not None and network.ended is not None:
            return (
                f"{name} was never handed in: {diagnosis.trigger}, for which it waited, never came in time."
            )
        case "planned" if diagnosis.trigger is not None:
            return f"{name} is not handed in yet: it waits for {diagnosis.trigger}."
        case "planned" if network.ended is not None:
            return f"{name} was never handed in: the run ended before that ({at})."
        case "planned" if network.now_ms < diagnosis.at_ms:
            return f"{name} is not handed in yet: it is due at {at}, and it is {seconds(network.now_ms)}."
        case "planned":
            return f"{name} was due at {at} and was not handed in: the steps of the file were not played."
        case "waiting":
            return f"{name} waits for a block: {diagnosis.sender} handed it in at {at}."
        case "expired":
            return f"{name} has expired: it was handed in at {at}, and its window closed without a block."
        case "refused":
            return f"{name} is in {height} and had no effect: its sender used that nonce before."
        case "sealed" if diagnosis.seal is not None:
            return f"{name} is in {height}, and lies under its seal: {diagnosis.seal.text}."
        case "undelivered":
            named = ", ".join(reader.name for reader in diagnosis.lacking)
            has = "has" if len(diagnosis.lacking) == 1 else "have"
            return f"{name} is in {height}, and {named} {has} not got it yet."
    if (purged := diagnosis.record.purged) is not None and purged.reason:
        lacking = len(diagnosis.record.receipts)
        rest = f", and {lacking} purge receipt{'s are' if lacking > 1 else ' is'} missing" if lacking else ""
        return f"{name} has arrived: {height}; erased since block {purged.height}, as its sender asked{rest}."
    if any(each.state == PURGED for each in diagnosis.readers):
        return f"{name} has arrived: {height}; kept for a while only, it is erased as its header says."
    return f"{name} has arrived: {height}, opened by {', '.join(each.name for each in diagnosis.readers)}."


def _reader_text(reader: Reader) -> str:
    if reader.away is not None:
        return f"{reader.name}: {why(reader.away)}"
    since = "" if reader.since_ms is None else f", since {seconds(reader.since_ms)}"
    words = _STATE_WORDS.get(reader.state, "could not tell: its keys or its disk failed")
    return f"{reader.name}: {'has not got the block yet' if reader.state == ABSENT else words}{since}"


def _next(diagnosis: TransactionDiagnosis) -> str:
    faults = [each.away.fault for each in diagnosis.lacking if each.away is not None and each.away.fault]
    text = "it is delivered by itself once its reader is back; the chain does not wait for that"
    if faults and diagnosis.network.takes_faults:
        return f"{text}. Wait, or: " + " · ".join(
            f"privity fault heal {each}" for each in dict.fromkeys(faults)
        )
    return text

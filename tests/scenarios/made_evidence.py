"""Evidence made by hand: a run of four voters of which a test says line by line what its nodes wrote."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from consensus.evidence import Evidence as Proof
from consensus.messages import NewView, Signed
from consensus.output import EvidenceRecord, NewViewRecord, Record
from consensus.votes import Prepare
from node.chain.journal import Journal
from node.chain.store import BlockRow
from node.run_folder import RunFolder
from node.topics import Topics
from node.wire import Frame, encode
from scenarios.chains import Chain
from scenarios.faults.record import FaultRecord
from scenarios.judging import Evidence, Judgement, judge
from scenarios.leaks.run_secrets import RunSecrets
from scenarios.model.loading import parse_scenario
from scenarios.model.plan import PlannedSend
from scenarios.processes.capture import Captured, Note, encode_record
from scenarios.sending import Replayed, Sent
from tests.node.log_story import event, write
from tests.node.network_of_nodes import founded

VOTERS = ("ann", "bob", "cyd", "dan")
SCENARIO = "privity: 1\nname: made\nparties: {ann: {}, bob: {}, cyd: {}, dan: {}}\n"
SIGNATURE = bytes(64)


class Made:
    """A run in the making. f = 1: what two honest voters have told of is committed."""

    def __init__(self, home: Path) -> None:
        self.network = founded()
        self.folder = RunFolder.create(home)
        self.chains = {name: Chain(name, {}, {}) for name in VOTERS}
        self.sent: dict[str, Sent] = {}
        self.faults: list[FaultRecord] = []
        self.replayed: dict[str, Replayed] = {}
        self.until_ms = 60_000
        self.settled = True
        for name in VOTERS:
            self.folder.make_node(name)
            self.keeps(name)

    def tells(self, t_ms: int, name: str, what: str, **fields: Any) -> None:
        """A line in the log of a node."""
        write(self.folder, [event(t_ms, name, what, **fields)])

    def commits(
        self,
        height: int,
        at_ms: int,
        by: Sequence[str] = VOTERS,
        *,
        proposed_ms: int | None = None,
        txs: Sequence[str] = (),
    ) -> None:
        """These voters execute a block at one moment, with some of the transactions sent."""
        for name in by:
            if proposed_ms is not None:
                self.tells(proposed_ms, name, "pbft.pre_prepare", h=height, v=0)
            self.tells(at_ms, name, "block.commit", h=height, v=0)
            block = sha256(b"%d" % height).digest()
            time_ms = self.network.created_ms + at_ms
            self.chains[name].blocks[height] = BlockRow(height, block, block, time_ms, 0, 0)
            self.chains[name].executed.update({self.sent[tx].tx.hex(): height for tx in txs})

    def sends(self, name: str, at_ms: int) -> None:
        """A client hands a transaction in."""
        planned = PlannedSend(name, at_ms, "ann", ("bob",), {})
        self.sent[name] = Sent(planned, sha256(name.encode()).digest(), at_ms, b"")

    def fault(self, kind: str, nodes: Sequence[str] = ("dan",), **fields: Any) -> FaultRecord:
        """A fault, `down` unless it has another id."""
        record = FaultRecord(**{"id": "down", "kind": kind, "nodes": tuple(nodes), "touched": 1} | fields)
        self.faults.append(record)
        return record

    def keeps(self, name: str, *records: Record) -> None:
        """More records in the journal of a node."""
        journal = Journal(self.folder.node(name) / "journal", self.network.id)
        for _ in journal.replay():
            pass
        for record in records:
            journal.append(record)
        journal.sync()
        journal.close()

    def installs(self, name: str, view: int) -> None:
        """A node begins a view."""
        message = NewView(0, view, (), (), view % len(VOTERS))
        self.keeps(name, NewViewRecord(Signed(message, SIGNATURE)))

    def proves(self, name: str, accused: str, at_ms: int) -> None:
        """A node finds two contradicting prepares of somebody."""
        place = VOTERS.index(accused)
        first, second = (Signed(Prepare(0, 0, 7, bytes([half]) * 32, place), SIGNATURE) for half in range(2))
        self.keeps(name, EvidenceRecord(Proof("E1", place, 0, 7, first, second)))
        fields = {"h": 7, "v": 0, "from": accused, "reason_code": "E1"}
        self.tells(at_ms, name, "evidence.equivocation", **fields)

    def hears(
        self,
        packets: Iterable[tuple[int | None, bytes]] = (),
        *,
        deaf: tuple[int, int | None] | None = None,
    ) -> None:
        """The recorder's capture: packets of the first voter, each to one voter's inbox; None is to all.

        While `deaf` it had no connection, from one moment to another or, for None, to the end.
        """
        topics = Topics(self.network.id)
        records = [Captured(0, "", Note.LISTENING.value, False)]
        for to, packet in packets:
            topic = topics.broadcast(0) if to is None else topics.inbox_of(to)
            records.append(Captured(5, topic, encode(Frame(1, 0, (packet,))), False))
        if deaf is not None:
            records.append(Captured(deaf[0], "", Note.CUT.value, False))
            if deaf[1] is not None:
                records.append(Captured(deaf[1], "", Note.LISTENING.value, False))
        records.append(Captured(self.until_ms, "", Note.STOPPED.value, False))
        self.folder.capture.write_bytes(b"".join(map(encode_record, records)))
        self.folder.write_run(capture_ms=self.network.created_ms)

    def evidence(self, *expectations: object) -> Evidence:
        """All of it, with these to be judged."""
        scenario = dataclasses.replace(parse_scenario(SCENARIO, "made.yaml"), expectations=expectations)
        return Evidence(
            scenario=scenario,
            folder=self.folder,
            network=self.network,
            sent=dict(self.sent),
            chains=list(self.chains.values()),
            secrets=RunSecrets(),
            settled=self.settled,
            until_ms=self.until_ms,
            faults=tuple(self.faults),
            replayed=self.replayed,
        )

    def judged(self, expectation: object) -> Judgement:
        """What becomes of one expectation."""
        (found,) = judge(self.evidence(expectation))
        return found

    def outcome(self, expectation: object) -> str:
        """In a word."""
        return self.judged(expectation).result

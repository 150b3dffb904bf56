"""All that the judge may look at, each part of it read once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from node.chain.reading import NodeReading
from node.consortium import Network
from node.envelopes.fields import Path
from node.erasing.purge_reading import Purged, purges_of
from node.errors import PrivityError
from node.logs.event_fields import short
from node.run_folder import Label, RunFolder
from node.run_reading import RunReading
from scenarios.aggregating import Summed
from scenarios.chains import Chain
from scenarios.faults.conditions import worst_latency_ms
from scenarios.faults.record import FaultRecord, faulty, isolated
from scenarios.judging.course import Course, Divergence, read_course
from scenarios.judging.journals import Kept, read_kept
from scenarios.judging.key_free import KeyFree, key_free_replay
from scenarios.judging.recorded import heard_all
from scenarios.knowledge.matrix import matrix_of
from scenarios.knowledge.metadata import Metadata, metadata_of
from scenarios.knowledge.moments import At
from scenarios.knowledge.rows import Matrix
from scenarios.knowledge.totals import sets_known_to
from scenarios.knowledge.trials import Trials
from scenarios.leaks.canaries import Artefact, ScanBroken, ScanResult, scan
from scenarios.leaks.run_secrets import RunSecrets
from scenarios.model.consents import bound, made
from scenarios.model.lies import may_be_blamed_in
from scenarios.model.prediction import fields_read
from scenarios.model.scenario import END, AtHeight, AtView, Disclose, Moment, Scenario
from scenarios.model.seals import unsealed_to
from scenarios.named_liars import Named, named_liars
from scenarios.proved_liars import ProvedLiar, framed, proved_liars
from scenarios.sending import Replayed, Sent
from scenarios.triggers import Missed
from scenarios.why.reach import kept_away
from scenarios.why.receipts import MissingReceipt, missing_receipts

# What was under way when a fault began may still arrive: this, and the network's worst latency.
IN_FLIGHT_MS = 500


@dataclass(slots=True)
class Evidence:
    """What a run left behind.

    Honest are the nodes without a fault that counts, one after which a node may have lied or forgotten.
    Following are those of them that no fault which is still on keeps away; only they must have everything.
    """

    scenario: Scenario
    folder: RunFolder
    network: Network
    sent: dict[str, Sent]
    chains: list[Chain]
    secrets: RunSecrets
    settled: bool
    until_ms: int  # Up to when it tells of the run, in ms since the genesis.
    ended: tuple[str, ...] = ()  # Nodes, broker, recorder that ended by themselves.
    invariants: tuple[str, ...] = ()  # What the virtual world's checkers found broken, in words.
    faults: tuple[FaultRecord, ...] = ()
    replayed: Mapping[str, Replayed] = field(default_factory=dict)  # By the id of the step.
    missed: tuple[Missed, ...] = ()  # Steps that were not carried out.
    summed: Mapping[str, Summed] = field(default_factory=dict)  # The same.
    _purges: list[Purged] | None = field(default=None, init=False, repr=False)
    _purge_of: dict[bytes, Purged] | None = field(default=None, init=False, repr=False)
    _purged: dict[bytes, frozenset[str]] | None = field(default=None, init=False, repr=False)
    _reading: RunReading | None = field(default=None, init=False, repr=False)
    _trials: Trials | None = field(default=None, init=False, repr=False)
    _matrices: dict[Moment, Matrix] = field(default_factory=dict, init=False, repr=False)
    _metadata: dict[str, Metadata] | None = field(default=None, init=False, repr=False)
    _scans: dict[frozenset[str], ScanResult] = field(default_factory=dict, init=False, repr=False)
    _course: Course | None = field(default=None, init=False, repr=False)
    _kept: Kept | None = field(default=None, init=False, repr=False)
    _recorded: bool | None = field(default=None, init=False, repr=False)
    _liars: list[ProvedLiar] | None = field(default=None, init=False, repr=False)
    _named: list[Named] | None = field(default=None, init=False, repr=False)
    _replay: KeyFree | None = field(default=None, init=False, repr=False)

    # Who is held to what.

    @property
    def voters(self) -> list[str]:
        """All voters, in the order of the network."""
        return [member.name for member in self.network.members if member.votes]

    @property
    def honest(self) -> list[str]:
        """Nodes that no fault made lie, or forget."""
        liars = faulty(self.faults)
        return [name for name in self.network.names if name not in liars]

    @property
    def following(self) -> list[str]:
        """Honest nodes that nothing keeps from following to the end."""
        away = isolated(self.faults, self.voters)
        return [name for name in self.honest if name not in away]

    @property
    def excused(self) -> set[str]:
        """All others."""
        return set(self.network.names) - set(self.following)

    @property
    def honest_chains(self) -> list[Chain]:
        """The chains of honest nodes: none may contradict another."""
        return [chain for chain in self.chains if chain.node in self.honest]

    @property
    def following_chains(self) -> list[Chain]:
        """The chains that must be complete."""
        return [chain for chain in self.chains if chain.node in self.following]

    def fault(self, identifier: str) -> FaultRecord | None:
        """What became of this fault; None if nobody ever spoke of it."""
        return next((record for record in self.faults if record.id == identifier), None)

    def executed_everywhere(self, sent: Sent) -> bool:
        """Whether every node that must have it has this transaction, and some honest node at all."""
        tx = sent.tx.hex()
        return any(tx in chain.executed for chain in self.honest_chains) and all(
            tx in chain.executed for chain in self.following_chains
        )

    def planned_fields(self, sent: Sent, name: str) -> set[Path]:
        """What a party reads of this transaction in the end, by the steps."""
        return self._fields_of(sent, [name])[name]

    def _fields_of(self, sent: Sent, names: Iterable[str]) -> dict[str, set[Path]]:
        """The same for several parties: the steps of all are looked through once."""
        unsealed, shown = unsealed_to(self.scenario, sent.planned), self._made(sent)
        return {name: fields_read(sent.planned, name, shown, unsealed) for name in names}

    def _made(self, sent: Sent) -> list[Disclose]:
        """The disclosures of this transaction that the rules let happen, or that break them on purpose."""
        shown = [each for each in self.scenario.disclosures if each.tx == sent.planned.id]
        return made(self.scenario, sent.planned, shown)

    def planned_bound(self, sent: Sent) -> set[str]:
        """Who holds in the end what only its owner's rule forbids, by the steps."""
        return bound(self.scenario, sent.planned)

    def key_holders(self, sent: Sent) -> set[str]:
        """Who has the content key of this transaction in the end, by the steps."""
        planned = sent.planned
        return {planned.sender, *planned.readers, *unsealed_to(self.scenario, planned)}

    def planned_readers(self, sent: Sent) -> set[str]:
        """Who reads every field in the end, by the steps."""
        sender = sent.planned.sender
        fields = self._fields_of(sent, {sender, *self.network.names})
        every = fields[sender]
        named = {sender, *sent.planned.readers}.difference(sent.planned.deceived)
        whole = {name for name in self.network.names if fields[name] == every}
        return named | whole if every else named

    def shown_in_part(self, sent: Sent) -> set[str]:
        """To whom the steps show some fields of this transaction."""
        return {
            name
            for disclosure in self._made(sent)
            if disclosure.fields is not None
            for name in disclosure.receivers
        }

    # When.

    @property
    def grace_ms(self) -> int:
        """How long after a moment something that was under way then may still arrive."""
        return IN_FLIGHT_MS + worst_latency_ms(self.scenario.conditions, self.network.names)

    @property
    def course(self) -> Course:
        """What happened when, by the logs."""
        if self._course is None:
            self._course = read_course(self.folder, self.network, self.honest)
        return self._course

    def committed_ms(self, sent: Sent) -> int | None:
        """When a weak quorum of honest voters had committed this transaction; None if they never had."""
        tx = sent.tx.hex()
        heights = {chain.executed[tx] for chain in self.honest_chains if tx in chain.executed}
        return self.course.committed.get(min(heights)) if heights else None

    def waiting(self, from_ms: int, to_ms: int) -> list[str]:
        """Transactions that were submitted by `to_ms` and not committed by `from_ms`: there was work."""
        found = []
        for name, sent in self.sent.items():
            if sent.at_ms <= to_ms and not sent.refused:
                done_ms = self.committed_ms(sent)
                if done_ms is None or done_ms > from_ms:
                    found.append(name)
        return found

    # What nodes keep, and who knows what.

    @property
    def kept(self) -> Kept:
        """What honest voters have in their journals."""
        if self._kept is None:
            honest = set(self.honest)
            self._kept = read_kept(
                self.folder, self.network, [name for name in self.voters if name in honest]
            )
        return self._kept

    @property
    def key_free(self) -> KeyFree:
        """The chains of honest nodes, executed anew without any private key."""
        if self._replay is None:
            self._replay = key_free_replay(self.folder, self.network, self.honest_chains)
        return self._replay

    @property
    def liars(self) -> list[ProvedLiar]:
        """Senders that honest nodes can prove liars, judged anew from public data."""
        if self._liars is None:
            self._liars = proved_liars(self.folder, self.network, self.honest)
        return self._liars

    @property
    def framed(self) -> list[ProvedLiar]:
        """Those of them that no fault of the scenario made lie."""
        sent = {each.tx: each.planned for each in self.sent.values()}
        return framed(self.liars, sent, self.scenario)

    @property
    def named(self) -> list[Named]:
        """Whom a ledger names, or those who take part in a round."""
        if self._named is None:
            self._named = named_liars(self.highest, self.summed, self.name_of)
        return self._named

    @property
    def named_in_vain(self) -> list[Named]:
        """Those of them in rounds that no fault made lie; an opener may be silent for other reasons."""
        steps = {step.id: step for step in self.scenario.aggregates}
        return [
            each
            for each in self.named
            if each.round and not may_be_blamed_in(self.scenario, each.party, steps[each.id])
        ]

    def reached(self, at: Moment) -> At | None:
        """This moment as the matrix names it; None if the network never came to that height or view."""
        match at:
            case AtHeight(height):
                return At(height=height) if height in self.course.committed else None
            case AtView(view):
                t_ms = self.course.entered_ms(view)
                return None if t_ms is None else At(t_ms=t_ms)
            case int():
                return At(t_ms=at)
        return At()

    @property
    def highest(self) -> NodeReading:
        """The node with the most blocks."""
        return self._read.highest()

    @property
    def labels(self) -> Sequence[Label]:
        """What the operator submitted, by the names that it gave."""
        return self._read.labels

    def matrix(self, at: Moment) -> Matrix:
        """Who could read what at this moment, by trying."""
        if at not in self._matrices:
            moment = self.reached(at)
            assert moment is not None, "nobody asks about a moment that never came"
            self._trials = self._trials or Trials(self._read)  # Keys open the same at every moment.
            self._matrices[at] = matrix_of(self._read, moment, trials=self._trials)
        return self._matrices[at]

    def metadata(self, sent: Sent) -> Metadata | None:
        """Who learned what of this transaction without reading it; None if no ledger has it."""
        if self._metadata is None:
            matrix = self.matrix(END)
            known = [row.id.hex() for row in matrix.rows if row.transaction is not None]
            self._metadata = dict(zip(known, metadata_of(self._read, matrix), strict=True))
        return self._metadata.get(sent.tx.hex())

    @property
    def reading(self) -> RunReading:
        """The folders of all nodes, each read once."""
        return self._read

    def name_of(self, tx: bytes) -> str:
        """What the steps call a transaction, or its first digits."""
        return next((name for name, sent in self.sent.items() if sent.tx == tx), short(tx))

    @property
    def divergences(self) -> list[Divergence]:
        """Where honest parties told that another honest one has another private state, each once."""
        honest = set(self.honest)
        found = [each for each in self.course.divergences if {each.name, each.peer} <= honest]
        first = {(frozenset((each.name, each.peer)), each.tx): each for each in reversed(found)}
        return sorted(first.values(), key=lambda each: each.t_ms)

    @property
    def _read(self) -> RunReading:
        if self._reading is None:
            self._reading = RunReading(self.folder, trusting=not self.key_free.equal)
        return self._reading

    def sets_known_to(self, name: str) -> dict[str, list[frozenset[str]]]:
        """By field: the sets of contributors of which this party has a total."""
        return sets_known_to(self._read, self.matrix(END), name)

    @property
    def recorded(self) -> bool:
        """Whether the recorder heard all that the broker carried."""
        if self._recorded is None:
            executed = {tx for chain in self.chains for tx in chain.executed}
            needed = {sent.tx for sent in self.sent.values() if sent.tx.hex() in executed}
            self._recorded = "recorder" not in self.ended and heard_all(
                self.folder, self.network, self.faults, self.course, needed
            )
        return self._recorded

    @property
    def purges(self) -> list[Purged]:
        """What was to be erased, with the receipts of those who did."""
        if self._purges is None:
            self._purges = purges_of(self._read)
        return self._purges

    @property
    def purged(self) -> dict[bytes, frozenset[str]]:
        """By transaction id: the nodes that, by their own height, must have erased it."""
        if self._purged is None:  # It is asked for once for each transaction of a run.
            acts = {each.tx: each.height for each in self.purges if each.reason}
            heads = {chain.node: chain.height for chain in self.chains}
            due = {sent.tx: self._due(sent, acts.get(sent.tx), heads) for sent in self.sent.values()}
            self._purged = {tx: parties for tx, parties in due.items() if parties}
        return self._purged

    def _due(self, sent: Sent, ordered_at: int | None, heads: Mapping[str, int]) -> frozenset[str]:
        """The nodes with a head behind its time, or not before the block that orders its purge."""
        keep = sent.planned.keep
        if not keep and ordered_at is None:
            return frozenset()
        tx, found = sent.tx.hex(), set()
        for chain in self.chains:
            height, head = chain.executed.get(tx), heads[chain.node]
            if height is None:
                continue
            if (keep and height + keep <= head) or (ordered_at is not None and ordered_at <= head):
                found.add(chain.node)
        return frozenset(found)

    def purge_of(self, tx: bytes) -> Purged | None:
        """What became of the purge of this transaction; None if none was due."""
        if self._purge_of is None:
            self._purge_of = {each.tx: each for each in reversed(self.purges)}
        return self._purge_of.get(tx)

    def missing_receipts(self, purged: Purged) -> tuple[MissingReceipt, ...]:
        """Whose receipts this purge lacks, and what keeps each."""
        return missing_receipts(self.reading, purged, kept_away(self.faults, self.voters))

    def scan(self, stores: frozenset[str]) -> ScanResult:
        """Look for every secret of the run in these stores: logs, broker, ledgers, report."""
        if stores not in self._scans:
            found = artefacts(self.folder, stores)
            try:
                self._scans[stores] = scan(
                    self.secrets.without(self.purged), found, root=self.folder.path, public=self._public()
                )
            except ScanBroken as broken:
                raise PrivityError(
                    "E-SCAN",
                    "the leak scan cannot be trusted",
                    where=str(self.folder.path),
                    why=str(broken),
                    next="nothing is known of leaks; look at that file",
                ) from None
        return self._scans[stores]

    def _public(self) -> list[str]:
        """Words that stand in public places by right, and are no leak even if a payload holds them too."""
        return [self.scenario.file, *self.scenario.public_texts.values()]


def artefacts(folder: RunFolder, stores: frozenset[str]) -> list[Artefact]:
    """What a scan reads, each with the party that owns it, if one does.

    A party's own keys may lie in its own folder; everything else is searched for what its owner may not have.
    """
    found: list[Artefact] = []
    for name in folder.node_names():
        own = folder.node(name)
        if "ledgers" in stores:
            found.append(Artefact(own, name))  # All of it, whatever a node may put there one day.
        if "logs" in stores:
            # Logs go to others when people ask for help: nobody's secrets belong there, the owner's neither.
            found += [Artefact(own / part, None) for part in ("events.jsonl", "stderr.log")]
    if "logs" in stores:
        found += [Artefact(folder.events, None), Artefact(folder.operator_events, None)]
        found.append(Artefact(folder.operator / "up.log", None))  # What the run in the background printed.
        found += [Artefact(folder.run_json, None), Artefact(folder.genesis, None)]
    if "broker" in stores:
        found.append(Artefact(folder.broker, None))
    if "report" in stores:
        found.append(Artefact(folder.report, None))
    return [artefact for artefact in found if artefact.path.exists()]

"""From the model of a file to a scenario: names in full, and the checks that need all of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from node.envelopes.object_write import OBJECT_FIELD
from node.envelopes.transaction import SLOT_BUCKETS
from scenarios.model.aggregate_steps import AggregateStep
from scenarios.model.aggregates import Aggregate, aggregate_of, check_aggregates
from scenarios.model.challenges import Challenging, challenge_of, check_challenges
from scenarios.model.complaints import Complaints
from scenarios.model.conditions import conditions_of
from scenarios.model.consent_resolving import check_consents
from scenarios.model.consent_steps import ConsentStep, RevokeStep
from scenarios.model.consents import OwnersWord, owners_word
from scenarios.model.disclosure_resolving import check_disclosures
from scenarios.model.disclosure_steps import DiscloseStep, RequestStep
from scenarios.model.disclosures import Ask, Disclose, disclosure_of, with_reasons
from scenarios.model.document import ScenarioDocument
from scenarios.model.expectation_resolving import ExpectationResolver
from scenarios.model.fault_resolving import FaultResolver
from scenarios.model.fault_steps import FaultStep
from scenarios.model.faults import CLIENT_KINDS, TWO_TALES
from scenarios.model.names import expand, meant, wrong_with_identifier
from scenarios.model.objects import DEFAULT_CHECK, writes_of
from scenarios.model.payloads import FILLER, PayloadError, check_payload, telling_words
from scenarios.model.plan import drawn, plan
from scenarios.model.problems import Problem
from scenarios.model.purge_steps import PurgeStep
from scenarios.model.purges import Erase, check_purges, erase_of
from scenarios.model.scenario import Fault, Load, Party, Replay, Scenario, Send, Step
from scenarios.model.seal_steps import ChallengeStep, OpenStep
from scenarios.model.seals import Opening, check_openings, opening_of, seals_of
from scenarios.model.source import Path, Source
from scenarios.model.starts import comes_before, start_of
from scenarios.model.steps import LoadStep, RandomReaders, ReplayStep, SendStep
from scenarios.model.units import Range
from scenarios.model.values import MAX_LOAD

AnyStep = (
    SendStep
    | LoadStep
    | ReplayStep
    | DiscloseStep
    | RequestStep
    | ConsentStep
    | RevokeStep
    | AggregateStep
    | OpenStep
    | ChallengeStep
    | PurgeStep
    | FaultStep
)
MAX_OTHER_READERS = SLOT_BUCKETS[-1] - 1


class _Resolver:
    """Makes a scenario of a document that is well-formed, and collects what is wrong with it as a whole."""

    def __init__(self, document: ScenarioDocument, source: Source) -> None:
        self.complaints = Complaints(source)
        self._document = document
        self._source = source
        self._lines = source.lines_by_path()
        self._parties = tuple(
            Party(name, spec.role, spec.votes, spec.title)
            for series, spec in document.parties.items()
            for name in expand(series)
        )
        self._names = [party.name for party in self._parties]
        self._always_to = meant(document.privacy.always_to, self._names)
        self._seals = seals_of(document.seals, self._names, self.complaints)
        voters = [party.name for party in self._parties if party.votes]
        self._faults = FaultResolver(self._names, voters, self.complaints)

    def scenario(self) -> Scenario:
        """The scenario. It is good only if nothing was complained about."""
        document = self._document
        if document.crypto == "seeded" and document.network.transport == "mqtt":
            message = "keys of a live run are never drawn from the seed; that needs transport: memory"
            self.complaints.at(("crypto",), "E-VALUE", message)
        steps = with_reasons([self._step(index, step) for index, step in enumerate(document.steps)])
        transactions = self._transactions(steps)
        faults = [step for step in steps if isinstance(step, Fault)]
        workload = [step for step in steps if isinstance(step, Send | Load)]
        aggregates = {index: step for index, step in enumerate(steps) if isinstance(step, Aggregate)}
        records = {step.id: step.transactions for step in aggregates.values()}
        expectations = ExpectationResolver(
            self._names, transactions, workload, faults, self.complaints, records
        )
        check_aggregates(aggregates, {step.id: index for index, step in enumerate(steps)}, self.complaints)
        self._check_identifiers(steps)
        self._check_replays(steps, transactions)
        self._check_tales(steps)
        openings = {index: step for index, step in enumerate(steps) if isinstance(step, Opening)}
        check_openings(openings, self._seals, self.complaints)
        challenges = {index: step for index, step in enumerate(steps) if isinstance(step, Challenging)}
        check_challenges(challenges, self._seals, self.complaints)
        return Scenario(
            file=self._source.file,
            name=document.name,
            about=document.about,
            seed=document.seed,
            transport=document.network.transport,
            broker=document.network.broker,
            protocol=document.consensus.protocol,
            block_every_ms=document.consensus.block_every,
            view_timeout_ms=document.consensus.view_timeout,
            payload=document.privacy.payload,
            copies=0 if document.privacy.copies == "all" else document.privacy.copies,
            receipt_timeout_ms=document.privacy.receipt_timeout,
            state_check=document.state_check
            or (DEFAULT_CHECK if any(step.writes is not None for step in workload) else 0),
            metadata=document.privacy.metadata.model_dump(),
            always_to=self._always_to,
            conditions=conditions_of(document.network, self._names, self.complaints),
            crypto=document.crypto or "seeded",
            parties=self._parties,
            seals=self._seals,
            steps=steps,
            expectations=tuple(
                expectations.expectation(rule, ("expect", index), self._line(("expect", index)))
                for index, rule in enumerate(document.expect)
            ),
            lines=self._lines,
            document=document,
        )

    def _line(self, path: Path) -> int:
        return self._source.entries[path].value.line

    def _step(self, index: int, step: AnyStep) -> Step:
        assert step.id, "every step has been given an id"
        path: Path = ("steps", index)
        line = self._line(path)
        if isinstance(step, FaultStep):
            return self._faults.fault(step, path, line)
        if isinstance(step, ReplayStep):
            at_ms, trigger = start_of(step.at)
            return Replay(step.id, line, at_ms, step.tx, trigger)
        if isinstance(step, AggregateStep):
            return aggregate_of(step, line, self._names, self._always_to)
        if isinstance(step, DiscloseStep | RequestStep):
            return disclosure_of(step, line, self._names)
        if isinstance(step, PurgeStep):
            return erase_of(step, line)
        if isinstance(step, ConsentStep | RevokeStep):
            return owners_word(step, line, self._names)
        if isinstance(step, OpenStep):
            return opening_of(step, line, self._names)
        if isinstance(step, ChallengeStep):
            return challenge_of(step, line)
        if isinstance(step, SendStep):
            named = dict.fromkeys((*meant(step.to or (), self._names), *self._always_to))
            readers = tuple(name for name in named if name != step.as_)
            if len(readers) > MAX_OTHER_READERS:
                self._too_many_readers((*path, "to"), len(readers))
            self._check_room(path, step)
            at_ms, trigger = start_of(step.at)
            rest = (step.data, self._keep(step), self._rule(step), step.seal or "", step.expect == "refused")
            writes = writes_of(step.object, step.expects)
            return Send(step.id, line, at_ms, step.as_, readers, *rest, trigger=trigger, writes=writes)
        load = self._load(step, step.id, path)
        self._check_load(path, load)
        return load

    def _load(self, step: LoadStep, identifier: str, path: Path) -> Load:
        how_many: Range | None = None
        patterns: str | Sequence[str]
        if isinstance(step.to, RandomReaders):
            how_many, patterns = step.to.random, step.to.among
        elif step.to == "random":
            how_many, patterns = Range(1, 1), "*"
        else:
            patterns = step.to
        count, pace = step.timing
        at_ms, trigger = start_of(step.at)
        if count > MAX_LOAD:
            self.complaints.at(path, "E-LIMIT", f"{count} transactions; a load has at most {MAX_LOAD}")
            count = MAX_LOAD
        return Load(
            id=identifier,
            line=self._line(path),
            at_ms=at_ms,
            senders=meant(step.as_, self._names),
            candidates=meant(patterns, self._names),
            how_many=how_many,
            count=count,
            pace=pace,
            distribution=step.distribution,
            burst=step.burst,
            size_bytes=step.size,
            data=step.data,
            keep=self._keep(step),
            redisclose=self._rule(step),
            trigger=trigger,
            writes=writes_of(step.object, step.expects),
        )

    def _check_room(self, path: Path, step: SendStep | LoadStep) -> None:
        """The rule is one more value of a payload, which must have room for it."""
        try:
            writes = writes_of(step.object, step.expects)
            check_payload(step.data, redisclose=self._rule(step), writes=writes)
        except PayloadError as error:
            self.complaints.at((*path, "data"), error.code, str(error))

    def _keep(self, step: SendStep | LoadStep) -> int:
        return step.keep or self._document.privacy.keep or 0

    def _rule(self, step: SendStep | LoadStep) -> str:
        return step.redisclose or self._document.privacy.redisclose

    def _check_load(self, path: Path, load: Load) -> None:
        if not load.count:
            self.complaints.at(
                path, "E-VALUE", "this load has no transaction: at that rate, for is too short for one"
            )
        elif reason := wrong_with_identifier(load.transactions[-1]):
            self.complaints.at((*path, "id"), "E-NAME", f"{reason}; a load adds -0001 and so on")
        others = [len([name for name in load.candidates if name != sender]) for sender in load.senders]
        most = max(others) if load.how_many is None else load.how_many.high
        if load.how_many is not None and most > min(others):
            message = f"up to {most} readers are drawn, but there are only {min(others)} others"
            self.complaints.at((*path, "to"), "E-VALUE", message)
        elif most + len(set(self._always_to).difference(load.candidates)) > MAX_OTHER_READERS:
            self._too_many_readers((*path, "to"), most)
        else:
            self._check_drawn_payload(path, load)

    def _check_drawn_payload(self, path: Path, load: Load) -> None:
        if load.size_bytes is not None and FILLER in load.data:
            self.complaints.at(
                (*path, "data"), "E-PAYLOAD", f"{FILLER} is the field that size: adds; use another name"
            )
            return
        try:
            fields = drawn(replace(load, count=1), Random(0), Random(0))[0].fields
        except PayloadError as error:
            self.complaints.at((*path, "data"), error.code, str(error))
            return
        try:
            check_payload(fields, redisclose=load.redisclose)
        except PayloadError as error:
            self.complaints.at((*path, "size"), error.code, str(error))

    def _too_many_readers(self, path: Path, count: int) -> None:
        message = f"{count} readers beside the sender; at most {MAX_OTHER_READERS} are possible"
        self.complaints.at(path, "E-LIMIT", message)

    def _transactions(self, steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
        """What `tx:` can name, and the transactions that each name stands for."""
        named = {step.id: step.transactions for step in steps if isinstance(step, Send | Load)}
        place = {step.id: index for index, step in enumerate(steps)}
        for step in steps:
            for identifier in step.transactions if isinstance(step, Load) else ():
                if identifier in place:
                    message = f"the load in line {step.line} gives this id to one of its transactions"
                    self.complaints.at(("steps", place[identifier], "id"), "E-ID", message)
                named[identifier] = (identifier,)
        for step in steps:
            if isinstance(step, Aggregate):
                named |= {record: (record,) for record in step.transactions}
        return named

    def _check_replays(self, steps: Sequence[Step], named: Mapping[str, tuple[str, ...]]) -> None:
        """What is handed in once more is one transaction, and was handed in before."""
        starts = {tx: step for step in steps if isinstance(step, Send | Load) for tx in step.transactions}
        for index, step in enumerate(steps):
            if not isinstance(step, Replay):
                continue
            place: Path = ("steps", index, "tx")
            transactions = named.get(step.tx, ())
            if len(transactions) != 1:
                message = "one transaction is needed here, like traffic-0001"
                self.complaints.at(place, "E-TX", message)
            elif comes_before(starts[transactions[0]], step) is False:
                self.complaints.at(place, "E-VALUE", f"{step.tx} is not sent before this replay")

    def _check_tales(self, steps: Sequence[Step]) -> None:
        """Whom a lying client deceives follows from the times of the file."""
        kinds: dict[str, set[str]] = {}
        for step in steps:
            if isinstance(step, Fault) and step.kind in CLIENT_KINDS:
                for name in step.nodes:
                    kinds.setdefault(name, set()).add(step.kind)
        tellers = {name for name, told in kinds.items() if TWO_TALES in told}
        for index, step in enumerate(steps):
            if not isinstance(step, Send | Load | Aggregate) or step.trigger is None:
                continue
            if isinstance(step, Aggregate):
                lying = sorted(set(kinds) & {step.coordinator, *step.contributors})
                what = "lies"
            else:
                lying = sorted(tellers & ({step.sender} if isinstance(step, Send) else set(step.senders)))
                what = "tells two tales"
            if lying:
                message = f"{lying[0]} {what} at times; what it sends is due at a time, too"
                self.complaints.at(("steps", index, "at"), "E-VALUE", message)

    def _check_identifiers(self, steps: Sequence[Step]) -> None:
        """An id is its author's free choice and stands in every log: no place for a private value."""
        for index, step in enumerate(steps):
            data = step.data if isinstance(step, Send | Load | Aggregate) else {}
            named = step.writes.name if isinstance(step, Send | Load) and step.writes else ""
            if any(word in step.id for word in telling_words({**data, OBJECT_FIELD: named})):
                message = "this id holds a value of its payload, and ids stand in every log"
                self.complaints.at(("steps", index, "id"), "E-PRIVATE", message)


def resolve(document: ScenarioDocument, source: Source) -> tuple[Scenario, list[Problem]]:
    """The scenario of a document, good only if there are no problems with it."""
    resolver = _Resolver(document, source)
    scenario, complaints = resolver.scenario(), resolver.complaints
    later = {index: step for index, step in enumerate(scenario.steps) if isinstance(step, Disclose | Ask)}
    if later and not complaints.problems:  # What cannot be drawn cannot be shown to anybody.
        check_disclosures(scenario, later, plan(scenario), complaints)
    words = {index: step for index, step in enumerate(scenario.steps) if isinstance(step, OwnersWord)}
    if words and not complaints.problems:
        check_consents(words, plan(scenario), complaints)
    purges = {index: step for index, step in enumerate(scenario.steps) if isinstance(step, Erase)}
    if purges and not complaints.problems:
        check_purges(purges, plan(scenario), complaints)
    return scenario, complaints.problems

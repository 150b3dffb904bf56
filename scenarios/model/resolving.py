"""From the model of a file to a scenario: names in full, and the checks that need all of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from node.envelopes.transaction import SLOT_BUCKETS
from scenarios.model.document import ScenarioDocument
from scenarios.model.expectations import (
    AgreementRule,
    HeightRule,
    NoPlaintextRule,
    ReadersRule,
    Rule,
)
from scenarios.model.names import expand, matching, wrong_with_identifier
from scenarios.model.payloads import FILLER, PayloadError, check_payload, telling_words
from scenarios.model.plan import drawn
from scenarios.model.problems import Problem
from scenarios.model.refusals import problem_at
from scenarios.model.scenario import (
    Agreement,
    Denied,
    Expectation,
    Height,
    Load,
    NoPlaintext,
    Party,
    Readers,
    Scenario,
    Send,
    Step,
)
from scenarios.model.source import Path, Source, text_of
from scenarios.model.steps import LoadStep, RandomReaders, SendStep
from scenarios.model.units import Range
from scenarios.model.values import MAX_LOAD
from scenarios.model.wording import shown

MAX_OTHER_READERS = SLOT_BUCKETS[-1] - 1


class _Resolver:
    """Makes a scenario of a document that is well-formed, and collects what is wrong with it as a whole."""

    def __init__(self, document: ScenarioDocument, source: Source) -> None:
        self.problems: list[Problem] = []
        self._document = document
        self._source = source
        self._lines = source.lines_by_path()
        self._parties = tuple(
            Party(name, spec.role, spec.votes, spec.title)
            for series, spec in document.parties.items()
            for name in expand(series)
        )
        self._names = [party.name for party in self._parties]

    def scenario(self) -> Scenario:
        """The scenario. It is good only if `problems` is empty afterwards."""
        document = self._document
        steps = tuple(self._step(index, step) for index, step in enumerate(document.steps))
        transactions = self._transactions(steps)
        expectations = tuple(
            self._expectation(index, rule, transactions) for index, rule in enumerate(document.expect)
        )
        self._check_identifiers(steps)
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
            metadata=document.privacy.metadata.model_dump(),
            parties=self._parties,
            steps=steps,
            expectations=expectations,
            lines=self._lines,
            document=document,
        )

    def _refuse(self, path: Path, code: str, message: str) -> None:
        span = self._source.nearest(path).place
        self.problems.append(problem_at(self._source, path, span, code, message))

    def _parties_of(self, patterns: str | Sequence[str]) -> tuple[str, ...]:
        """The parties that the patterns mean, each once, in the order of the file."""
        wanted = [patterns] if isinstance(patterns, str) else patterns
        meant = {name for pattern in wanted for name in matching(pattern, self._names)}
        return tuple(name for name in self._names if name in meant)

    def _step(self, index: int, step: SendStep | LoadStep) -> Step:
        assert step.id, "every step has been given an id"
        path: Path = ("steps", index)
        line = self._source.entries[path].value.line
        if isinstance(step, SendStep):
            readers = tuple(name for name in self._parties_of(step.to) if name != step.as_)
            if len(readers) > MAX_OTHER_READERS:
                self._too_many_readers((*path, "to"), len(readers))
            return Send(step.id, line, step.at, step.as_, readers, step.data)
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
        if count > MAX_LOAD:
            self._refuse(path, "E-LIMIT", f"{count} transactions; a load has at most {MAX_LOAD}")
            count = MAX_LOAD
        return Load(
            id=identifier,
            line=self._source.entries[path].value.line,
            at_ms=step.at,
            senders=self._parties_of(step.as_),
            candidates=self._parties_of(patterns),
            how_many=how_many,
            count=count,
            pace=pace,
            size_bytes=step.size,
            data=step.data,
        )

    def _check_load(self, path: Path, load: Load) -> None:
        if not load.count:
            self._refuse(
                path, "E-VALUE", "this load has no transaction: at that rate, for is too short for one"
            )
        elif reason := wrong_with_identifier(load.transactions[-1]):
            self._refuse((*path, "id"), "E-NAME", f"{reason}; a load adds -0001 and so on")
        others = [len([name for name in load.candidates if name != sender]) for sender in load.senders]
        most = max(others) if load.how_many is None else load.how_many.high
        if load.how_many is not None and most > min(others):
            message = f"up to {most} readers are drawn, but there are only {min(others)} others"
            self._refuse((*path, "to"), "E-VALUE", message)
        elif most > MAX_OTHER_READERS:
            self._too_many_readers((*path, "to"), most)
        else:
            self._check_drawn_payload(path, load)

    def _check_drawn_payload(self, path: Path, load: Load) -> None:
        if load.size_bytes is not None and FILLER in load.data:
            self._refuse(
                (*path, "data"), "E-PAYLOAD", f"{FILLER} is the field that size: adds; use another name"
            )
            return
        try:
            fields = drawn(replace(load, count=1), Random(0))[0].fields
        except PayloadError as error:
            self._refuse((*path, "data"), error.code, str(error))
            return
        try:
            check_payload(fields)
        except PayloadError as error:
            self._refuse((*path, "size"), error.code, str(error))

    def _too_many_readers(self, path: Path, count: int) -> None:
        message = f"{count} readers beside the sender; at most {MAX_OTHER_READERS} are possible"
        self._refuse(path, "E-LIMIT", message)

    def _transactions(self, steps: Sequence[Step]) -> dict[str, tuple[str, ...]]:
        """What `tx:` can name, and the transactions that each name stands for."""
        named = {step.id: step.transactions for step in steps}
        place = {step.id: index for index, step in enumerate(steps)}
        for step in steps:
            for identifier in step.transactions if isinstance(step, Load) else ():
                if identifier in place:
                    message = f"the load in line {step.line} gives this id to one of its transactions"
                    self._refuse(("steps", place[identifier], "id"), "E-ID", message)
                named[identifier] = (identifier,)
        return named

    def _expectation(self, index: int, rule: Rule, named: Mapping[str, tuple[str, ...]]) -> Expectation:
        place: Path = ("expect", index)
        path, line = text_of(place), self._source.entries[place].value.line
        match rule:
            case AgreementRule():
                return Agreement(rule.check, path, line)
            case NoPlaintextRule():
                return NoPlaintext(rule.check, path, line, tuple(rule.in_))
            case HeightRule():
                return Height(rule.check, path, line, rule.min, rule.is_, rule.at)
        if rule.tx not in named:
            self._refuse((*place, "tx"), "E-TX", f"{shown(rule.tx)} is more than that load sends")
        transactions = named.get(rule.tx, ())
        if isinstance(rule, ReadersRule):
            return Readers(rule.check, path, line, rule.tx, transactions, self._parties_of(rule.are), rule.at)
        return Denied(rule.check, path, line, rule.tx, transactions, self._parties_of(rule.as_), rule.at)

    def _check_identifiers(self, steps: Sequence[Step]) -> None:
        """An id is its author's free choice and stands in every log: no place for a private value."""
        for index, step in enumerate(steps):
            if any(word in step.id for word in telling_words(step.data)):
                message = "this id holds a value of its payload, and ids stand in every log"
                self._refuse(("steps", index, "id"), "E-PRIVATE", message)


def resolve(document: ScenarioDocument, source: Source) -> tuple[Scenario, list[Problem]]:
    """The scenario of a document, good only if there are no problems with it."""
    resolver = _Resolver(document, source)
    return resolver.scenario(), resolver.problems

"""From the model of a file to a scenario: names in full, and the checks that need all of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from node.transaction import SLOT_BUCKETS
from scenarios.model import ScenarioDocument
from scenarios.model_expectations import (
    AgreementRule,
    HeightRule,
    NoPlaintextRule,
    ReadersRule,
    Rule,
)
from scenarios.model_steps import LoadStep, RandomReaders, SendStep
from scenarios.model_types import MAX_LOAD
from scenarios.names import expand, matching, wrong_with_identifier
from scenarios.payloads import FILLER, PayloadError, check_payload, searched_texts, telling_words
from scenarios.plan import drawn, drawn_identifiers
from scenarios.problems import Problem
from scenarios.refusals import problem_at
from scenarios.scenario import (
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
from scenarios.source import Path, Source, text_of
from scenarios.units import Range
from scenarios.wording import shown

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
        self._check_public_words(steps)
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
        span = self._source.nearest(path).value
        self.problems.append(problem_at(self._source, path, span, code, message))

    def _parties_of(self, patterns: str | Sequence[str]) -> tuple[str, ...]:
        """The parties that the patterns mean, each once, in the order of the file."""
        wanted = [patterns] if isinstance(patterns, str) else patterns
        meant = {name for pattern in wanted for name in matching(pattern, self._names)}
        return tuple(name for name in self._names if name in meant)

    def _step(self, index: int, step: SendStep | LoadStep) -> Step:
        assert step.id is not None, "every step has been given an id"
        path: Path = ("steps", index)
        line = self._source.entries[path].value.line
        if isinstance(step, SendStep):
            readers = tuple(name for name in self._parties_of(step.to) if name != step.as_)
            if len(readers) > MAX_OTHER_READERS:
                self._too_many_readers((*path, "to"), len(readers))
            return Send(step.id, line, step.at, step.as_, readers, step.data)
        load = self._load(step, step.id, line)
        self._check_load(path, load)
        return load

    def _load(self, step: LoadStep, identifier: str, line: int) -> Load:
        how_many: Range | None = None
        patterns: str | Sequence[str]
        if isinstance(step.to, RandomReaders):
            how_many, patterns = step.to.random, step.to.among
        elif step.to == "random":
            how_many, patterns = Range(1, 1), "*"
        else:
            patterns = step.to
        count, pace = step.timing
        return Load(
            id=identifier,
            line=line,
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
        elif load.count > MAX_LOAD:
            self._refuse(path, "E-LIMIT", f"{load.count} transactions; a load has at most {MAX_LOAD}")
        elif reason := wrong_with_identifier(drawn_identifiers(load.id, load.count)[-1]):
            self._refuse((*path, "id"), "E-NAME", f"{reason}; a load adds -0001 and so on")
        fewest = min(len([name for name in load.candidates if name != sender]) for sender in load.senders)
        most = len(load.candidates) if load.how_many is None else load.how_many.high
        if load.how_many is not None and most > fewest:
            message = f"up to {most} readers are drawn, but there are only {fewest} others"
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
        named: dict[str, tuple[str, ...]] = {}
        for step in steps:
            named[step.id] = (
                drawn_identifiers(step.id, min(step.count, MAX_LOAD))
                if isinstance(step, Load)
                else (step.id,)
            )
        for step in steps:
            for drawn_id in named[step.id] if isinstance(step, Load) else ():
                if drawn_id in named:
                    index = next(index for index, other in enumerate(steps) if other.id == drawn_id)
                    message = f"the load in line {step.line} gives this id to one of its transactions"
                    self._refuse(("steps", index, "id"), "E-ID", message)
                else:
                    named[drawn_id] = (drawn_id,)
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

    def _check_public_words(self, steps: Sequence[Step]) -> None:
        """A value of a payload that is public text too is no secret; the canary scan would call it a leak."""
        public = {"name": self._document.name}
        public |= {f"parties.{party.name}": party.name for party in self._parties}
        public |= {f"parties.{party.name}.title": party.title for party in self._parties}
        for index, step in enumerate(steps):
            data = dict(step.data)
            if any(word in step.id for word in telling_words(data)):
                message = "this id holds a value of its payload, and ids stand in every log"
                self._refuse(("steps", index, "id"), "E-PRIVATE", message)
            for where, text in public.items():
                if any(secret in text for secret in searched_texts(data)):
                    message = f"a value of this payload is public already: {where} holds it"
                    self._refuse(("steps", index, "data"), "E-PRIVATE", message)
                    break


def resolve(document: ScenarioDocument, source: Source) -> tuple[Scenario, list[Problem]]:
    """The scenario of a document, good only if there are no problems with it."""
    resolver = _Resolver(document, source)
    return resolver.scenario(), resolver.problems

"""From a rule of the file to what is expected: names in full, and the checks that need all of the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scenarios.model.complaints import Complaints
from scenarios.model.expectations import (
    AgreementRule,
    BlamedRule,
    DeniedRule,
    EvidenceRule,
    HeightRule,
    LatencyRule,
    LearnsOnlyRule,
    MessagesRule,
    MetadataRule,
    NoPlaintextRule,
    OpenedRule,
    PrivateStateRule,
    ProgressRule,
    ReadersRule,
    RefusedRule,
    Rule,
    StallRule,
    ViewChangesRule,
)
from scenarios.model.field_names import lies_in, planned_fields
from scenarios.model.names import meant
from scenarios.model.scenario import (
    END,
    Agreement,
    AtHeight,
    Blamed,
    Denied,
    EvidenceKept,
    Expectation,
    Fault,
    Height,
    Latency,
    LearnsOnly,
    Load,
    Messages,
    MetadataKnown,
    NoPlaintext,
    Opened,
    PrivateState,
    Progress,
    Readers,
    Refused,
    Send,
    Stall,
    ViewChanges,
)
from scenarios.model.source import Path, text_of
from scenarios.model.starts import moment_of
from scenarios.model.wording import shown

_BROKER = "broker"


class ExpectationResolver:
    """Makes expectations of rules. `named` are the transactions that each word behind `tx:` stands for."""

    def __init__(
        self,
        names: Sequence[str],
        named: Mapping[str, tuple[str, ...]],
        workload: Sequence[Send | Load],
        faults: Sequence[Fault],
        complaints: Complaints,
        records: Mapping[str, tuple[str, ...]],
    ) -> None:
        self._names = names
        self._records = records  # Of each aggregate.
        self._named = named
        self._step_of = {tx: step for step in workload for tx in step.transactions}
        self._faults = {fault.id: fault for fault in faults}
        self._complaints = complaints

    def expectation(self, rule: Rule, place: Path, line: int) -> Expectation:
        """The expectation. It is good only if nothing was complained about."""
        path = text_of(place)
        match rule:
            case AgreementRule():
                return Agreement(rule.check, path, line)
            case NoPlaintextRule():
                return NoPlaintext(rule.check, path, line, tuple(rule.in_))
            case HeightRule():
                at = moment_of(rule.at)
                if isinstance(at, AtHeight):
                    message = f"the height at {at} is {at.height}; write a time, or {{view: 3}}"
                    self._complaints.at((*place, "at"), "E-VALUE", message)
                return Height(rule.check, path, line, rule.min, rule.is_, at, rule.max)
            case ViewChangesRule():
                return ViewChanges(rule.check, path, line, rule.min, rule.max)
            case OpenedRule():
                by = None if rule.by is None else meant(rule.by, self._names)
                return Opened(rule.check, path, line, rule.seal, by, END if rule.at is None else rule.at)
            case PrivateStateRule():
                return PrivateState(rule.check, path, line)
            case RefusedRule():
                self._check_refused(rule.step, (*place, "step"))
                return Refused(rule.check, path, line, rule.step)
            case LearnsOnlyRule():
                parties = meant(rule.as_, self._names)
                records = self._records.get(rule.tx, ())
                return LearnsOnly(rule.check, path, line, rule.tx, records, parties, rule.what)
            case MessagesRule():
                return Messages(rule.check, path, line, rule.max)
            case ProgressRule() | StallRule() | EvidenceRule():
                return self._about_a_fault(rule, place, line)
            case LatencyRule():
                transactions = self._transactions(rule.of, (*place, "of"))
                limits = (rule.p50, rule.p99, rule.max)
                return Latency(rule.check, path, line, *limits, rule.of, transactions)
        if isinstance(rule, BlamedRule) and rule.tx in self._records:
            by = meant(rule.by or (), self._names)
            return Blamed(rule.check, path, line, rule.who, rule.tx, (rule.tx,), by)
        transactions = self._transactions(rule.tx, (*place, "tx"))
        match rule:
            case ReadersRule():
                parties = meant(rule.are, self._names)
                if rule.field is not None:
                    self._check_field(rule.field, transactions, (*place, "field"))
                could = meant(rule.could, self._names)
                rest = (parties, moment_of(rule.at), rule.field, could)
                return Readers(rule.check, path, line, rule.tx, transactions, *rest)
            case DeniedRule():
                parties = meant(rule.as_, self._names)
                at = moment_of(rule.at)
                return Denied(rule.check, path, line, rule.tx, transactions, parties, at)
            case BlamedRule():
                by = meant(rule.by or (), self._names)
                return Blamed(rule.check, path, line, rule.who, rule.tx, transactions, by)
            case MetadataRule():
                observers = self._observers(rule.are)
                return MetadataKnown(rule.check, path, line, rule.tx, transactions, rule.knows, observers)

    def _about_a_fault(
        self, rule: ProgressRule | StallRule | EvidenceRule, place: Path, line: int
    ) -> Progress | Stall | EvidenceKept:
        path = text_of(place)
        if isinstance(rule, ProgressRule):
            if rule.after is not None and not self._faults[rule.after].ends:
                message = f"{rule.after} lasts to the end, because it has no for; nothing comes after it"
                self._complaints.at((*place, "after"), "E-VALUE", message)
            return Progress(rule.check, path, line, rule.during, rule.after, rule.within)
        if isinstance(rule, StallRule):
            if self._faults[rule.during].instant:
                message = f"{rule.during} is over at once; there is no time in which to stall"
                self._complaints.at((*place, "during"), "E-VALUE", message)
            return Stall(rule.check, path, line, rule.during)
        of = meant(rule.of or (), self._names)
        return EvidenceKept(rule.check, path, line, rule.during, rule.min, of)

    def _transactions(self, word: str | None, place: Path) -> tuple[str, ...]:
        """What a word stands for; without one, every transaction of the file."""
        if word is None:
            everything = (transactions for transactions in self._named.values())
            return tuple(dict.fromkeys(tx for transactions in everything for tx in transactions))
        if word not in self._named:
            self._complaints.at(place, "E-TX", f"{shown(word)} is more than that load sends")
        return self._named.get(word, ())

    def _check_refused(self, step: str, place: Path) -> None:
        """A replay, or one transaction that writes: a mere record is refused by nobody."""
        transactions = self._named.get(step)
        if transactions is None and step in self._step_of:
            transactions = (step,)
        if transactions is None:
            return  # A replay.
        if len(transactions) != 1:
            message = "one transaction is needed here, like traffic-0001"
            self._complaints.at(place, "E-TX", message)
        elif self._step_of[transactions[0]].writes is None:
            message = f"{step} writes no object, so nothing of it can be refused"
            self._complaints.at(place, "E-VALUE", message)

    def _check_field(self, name: str, transactions: Sequence[str], place: Path) -> None:
        """Fields are named in the payload alone: of those that are there, no message says more."""
        steps = {step.id: step for step in map(self._step_of.get, transactions) if step is not None}
        for step in steps.values():
            if not any(lies_in(path, name) for path in planned_fields(step)):
                message = f"{step.id} has no such field; a field is named like terms.parts[0]"
                self._complaints.at(place, "E-VALUE", message)

    def _observers(self, patterns: str | Sequence[str]) -> tuple[str, ...]:
        wanted = [patterns] if isinstance(patterns, str) else patterns
        parties = meant([word for word in wanted if word != _BROKER], self._names)
        return (*parties, _BROKER) if _BROKER in wanted else parties

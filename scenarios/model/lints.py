"""What a scenario allows and its author may not have meant: warnings, which refuse nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from consensus.quorum import max_faulty
from node.envelopes.fields import flatten, lies_in
from node.envelopes.rule import FREE
from scenarios.model.aggregate_lints import few_contributors, telling_totals
from scenarios.model.consents import bound, made, refused
from scenarios.model.fault_lints import fault_lints
from scenarios.model.payloads import searched_texts
from scenarios.model.plan import PlannedSend
from scenarios.model.prediction import fields_read, shown_by_tx
from scenarios.model.scenario import (
    END,
    AtHeight,
    Denied,
    Disclose,
    Fault,
    LearnsOnly,
    Load,
    Readers,
    Scenario,
)
from scenarios.model.seal_lints import seal_lints
from scenarios.model.seals import unsealed_to
from scenarios.model.starts import is_by
from scenarios.model.warnings import Warning
from scenarios.model.wording import listed


def lints(scenario: Scenario, sends: Sequence[PlannedSend]) -> tuple[Warning, ...]:
    """Every warning about a scenario and its plan."""
    return tuple(warning for lint in _LINTS for warning in lint(scenario, sends))


def _too_few_voters(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    voters = len(scenario.voters)
    if scenario.faulty_voters == 0:
        who = "1 voter tolerates" if voters == 1 else f"{voters} voters tolerate"
        yield Warning("W-FAULTS", f"{who} no faulty voter (f = 0); 4 voters tolerate one")


def _spare_voters(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    voters, faulty = len(scenario.voters), scenario.faulty_voters
    enough = next(n for n in range(1, voters + 1) if max_faulty(n) == faulty)
    if faulty and enough < voters:
        faults = "1 fault" if faulty == 1 else f"{faulty} faults"
        yield Warning("W-VOTERS", f"{voters} voters tolerate the same {faults} as {enough}")


def _visible_metadata(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    senders = [name for name in scenario.names if any(send.sender == name for send in sends)]
    if senders:
        verb = "sends" if len(senders) == 1 else "send"
        yield Warning(
            "W-META",
            f"everyone can see that {listed(senders, most=5)} {verb}, and when (metadata.sender: public)",
        )


def _unstated_readers(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    """A transaction is spoken of by a rule on it alone, or on the load that it comes from."""
    stated = {
        tx for rule in scenario.expectations if isinstance(rule, Readers | Denied) for tx in rule.transactions
    }
    silent: list[str] = []
    count = 0
    for step in scenario.workload:
        missing = [tx for tx in step.transactions if tx not in stated]
        if missing:
            count += len(missing)
            silent.append(f"{step.id} ({len(missing)})" if isinstance(step, Load) else step.id)
    summed = {rule.tx for rule in scenario.expectations if isinstance(rule, LearnsOnly)}
    unsaid = [step.id for step in scenario.aggregates if step.id not in summed]
    count, silent = count + len(unsaid), [*silent, *unsaid]
    if count:
        have = "1 transaction has" if count == 1 else f"{count} transactions have"
        yield Warning("W-UNSTATED", f"{have} no rule in expect: {', '.join(silent)}")


def _contradicted_rules(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    by_id: Mapping[str, PlannedSend] = {send.id: send for send in sends}
    for rule in scenario.expectations:
        if isinstance(rule, Readers | Denied):
            due = [by_id[tx] for tx in rule.transactions if _due(by_id[tx], rule) is not False]
            may = [each for each in scenario.disclosures if _due(each, rule) is not False]
            sure = [each for each in may if _due(each, rule)]
            against = next(
                (send for send in due if not _may_be_as_predicted(scenario, rule, send, sure, may)), None
            )
            if against is not None:
                able = _able(scenario, rule, against, shown_by_tx(may))
                names = [name for name in scenario.names if name in able]
                what = f"the steps let {listed(names)} read {against.id}"
                message = f"the rule in line {rule.line} will be broken: {what}"
                yield Warning("W-EXPECT", message, rule.line)


def _due(step: PlannedSend | Disclose, rule: Readers | Denied) -> bool | None:
    """Whether it is done by the moment of the rule; None if only the run can tell."""
    return True if rule.at == END else is_by(step, rule.at)


def _may_be_as_predicted(
    scenario: Scenario,
    rule: Readers | Denied,
    send: PlannedSend,
    sure: Sequence[Disclose],
    may: Sequence[Disclose],
) -> bool:
    """Whether the rule can hold. Of disclosures that may be made by then, the first few are."""
    unsure = [each for each in may if each not in sure]
    return any(
        _as_predicted(scenario, rule, send, shown_by_tx([*sure, *unsure[:count]]))
        for count in range(len(unsure) + 1)
    )


def _waits_in_vain(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    """Idle time makes no blocks, so that a ledger grows no higher than by one for each transaction."""
    if scenario.aggregates:
        return  # How many records a round takes depends on who drops out.
    acts = len(scenario.asked) + len(scenario.owners_words) + len(scenario.purges)
    acts += sum(len(step.openers) * (1 + len(sends)) for step in scenario.openings)
    acts += len(scenario.challenges) * len(sends)
    erased = sum(bool(send.keep) for send in sends) + len(scenario.purges)
    receipts = erased * len(scenario.parties)  # At most: many payloads go into one.
    most = 1 + len(sends) + acts + receipts + 2 * len(scenario.disclosures)
    for what, trigger, line in (
        *((step.id, step.trigger, step.line) for step in scenario.steps if not isinstance(step, Fault)),
        *(
            (f"seal {seal.name}", AtHeight(seal.opens_at_height), scenario.lines.get(f"seals.{seal.name}", 0))
            for seal in scenario.seals
        ),
        *(
            (rule.check, rule.at, rule.line)
            for rule in scenario.expectations
            if isinstance(rule, Readers | Denied)
        ),
    ):
        if isinstance(trigger, AtHeight) and trigger.height > most:
            blocks = "1 block" if most == 1 else f"{most} blocks"
            message = f"{what} waits for {trigger}, and these steps make {blocks} at most"
            yield Warning("W-WAIT", message, line)


def _as_predicted(
    scenario: Scenario, rule: Readers | Denied, send: PlannedSend, shown: Mapping[str, Sequence[Disclose]]
) -> bool:
    if send.keep and (isinstance(rule, Denied) or not rule.parties):
        return True  # Once it is erased nobody reads it; how many blocks there will be is not known.
    if send.seal and not isinstance(rule.at, int) and rule.at != END:
        return True  # Seals go by the clock, and nobody knows beforehand what it says at a height.
    able = _able(scenario, rule, send, shown)
    return able == set(rule.parties) if isinstance(rule, Readers) else able.isdisjoint(rule.parties)


def _able(
    scenario: Scenario, rule: Readers | Denied, send: PlannedSend, shown: Mapping[str, Sequence[Disclose]]
) -> set[str]:
    """Who reads what the rule speaks of: every field, or the one it names; of a denial, any at all."""
    until = rule.at if isinstance(rule.at, int) else float("inf")
    gone = [purge for purge in scenario.purges if purge.tx == send.id]
    if any(rule.at == END or is_by(purge, rule.at) for purge in gone):
        return set()
    due = made(scenario, send, shown.get(send.id, ()))
    unsealed = unsealed_to(scenario, send, rule.at if isinstance(rule.at, int) else END)
    read = {name: fields_read(send, name, due, unsealed) for name in scenario.names}
    if isinstance(rule, Denied):
        return {name for name, fields in read.items() if fields}
    every = {path for path, _ in flatten(send.fields)}
    if rule.field is not None:
        field = rule.field
        every = {path for path in every if lies_in(path, field)}
    named = {send.sender, *send.readers}.difference(send.deceived)
    able = named | {name for name, fields in read.items() if every and every <= fields}
    return able - bound(scenario, send, until)


def _without_consent(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    by_id: Mapping[str, PlannedSend] = {send.id: send for send in sends}
    for step in scenario.disclosures:
        send = by_id.get(step.tx)
        if send is not None and not step.breach and (whom := refused(scenario, send, step)):
            rule = "its rule" if send.redisclose != FREE else "a revocation"
            message = f"{step.id} will be refused: {rule} does not let {step.discloser} show it"
            yield Warning("W-CONSENT", f"{message} to {listed(whom)} (E-CONSENT)", step.line)


def _public_already(scenario: Scenario, sends: Sequence[PlannedSend]) -> Iterator[Warning]:
    for step in scenario.workload:
        texts = searched_texts(step.data)
        where = [
            place for place, text in scenario.public_texts.items() if any(each in text for each in texts)
        ]
        if where:
            message = f"a text in the payload of {step.id} is public anyway: {where[0]} holds it"
            yield Warning("W-PUBLIC", message, step.line)


_Lint = Callable[[Scenario, Sequence[PlannedSend]], Iterator[Warning]]
_LINTS: tuple[_Lint, ...] = (
    _too_few_voters,
    _spare_voters,
    fault_lints,
    few_contributors,
    telling_totals,
    seal_lints,
    _contradicted_rules,
    _without_consent,
    _waits_in_vain,
    _public_already,
    _visible_metadata,
    _unstated_readers,
)

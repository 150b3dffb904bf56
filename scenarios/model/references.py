"""Names of parties, transactions and faults in a scenario file: each must be one that the file defines.

They are checked while the model is made: the reader passes `Known` as validation context. Without it they
stay unchecked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    WithJsonSchema,
)

from node.text import did_you_mean
from scenarios.model.names import SELECTORS, matching, no_such_party, wrong_with_identifier
from scenarios.model.values import refusal
from scenarios.model.wording import listed, shown


@dataclass(frozen=True, slots=True)
class Known:
    """The names that a file defines, gathered before its model is made."""

    parties: Sequence[str] = ()
    transactions: Sequence[str] = ()  # Ids of steps that send.
    loads: Sequence[str] = ()  # Those of loads, whose transactions are named LOAD-0001.
    faults: Sequence[str] = ()
    replays: Sequence[str] = ()
    aggregates: Sequence[str] = ()  # Whose records are named AGGREGATE-PARTY.
    seals: Sequence[str] = ()


def _known(info: ValidationInfo) -> Known | None:
    return info.context if isinstance(info.context, Known) else None


def _one_party(name: str, info: ValidationInfo) -> str:
    known = _known(info)
    if known and name not in known.parties:
        some = matching(name, known.parties) if "*" in name or "[" in name else []
        raise refusal(
            "E-PARTY",
            f"one party is needed here, {shown(name)} means {listed(some)}"
            if some
            else no_such_party(name, known.parties),
        )
    return name


def _some_parties(pattern: str, info: ValidationInfo) -> str:
    known = _known(info)
    if known and not matching(pattern, known.parties):
        raise refusal("E-PARTY", no_such_party(pattern, known.parties))
    return pattern


def _node_or_selector(pattern: str, info: ValidationInfo) -> str:
    known = _known(info)
    if known and pattern not in SELECTORS and not matching(pattern, known.parties):
        raise refusal("E-PARTY", no_such_party(pattern, known.parties, SELECTORS))
    return pattern


def _party_or_broker(pattern: str, info: ValidationInfo) -> str:
    known = _known(info)
    if known and pattern != "broker" and not matching(pattern, known.parties):
        raise refusal("E-PARTY", no_such_party(pattern, known.parties, ("broker",)))
    return pattern


def _none_named(kind: str, identifier: str, known: Sequence[str]) -> str:
    there = f"there {'are' if len(known) > 1 else 'is'} {listed(known) or 'none'}"
    return f"no {kind} named {shown(identifier)}; {did_you_mean(identifier, known) or there}"


def _known_fault(identifier: str, info: ValidationInfo) -> str:
    known = _known(info)
    if known and identifier not in known.faults:
        raise refusal("E-FAULT", _none_named("fault", identifier, known.faults))
    return identifier


def _known_to_be_refused(identifier: str, info: ValidationInfo) -> str:
    known = _known(info)
    if known and _is_sent(identifier, known):
        return identifier  # One that writes an object may be; whether it does is asked when all is read.
    if known and identifier not in known.replays:
        raise refusal("E-ID", _none_named("replay", identifier, known.replays))
    return identifier


def _known_transaction(identifier: str, info: ValidationInfo) -> str:
    known = _known(info)
    if known and not _is_sent(identifier, known) and not _is_record(identifier, known):
        raise refusal("E-TX", _none_named("transaction", identifier, known.transactions))
    return identifier


def _is_sent(identifier: str, known: Known) -> bool:
    """Whether it names what a step sends, or one of a load."""
    load, _, number = identifier.rpartition("-")
    return identifier in known.transactions or (load in known.loads and number.isdecimal())


def _is_record(identifier: str, known: Known) -> bool:
    """Whether it names the record of a contributor to an aggregate."""
    return any(identifier == f"{each}-{party}" for each in known.aggregates for party in known.parties)


def _known_aggregate(identifier: str, info: ValidationInfo) -> str:
    known = _known(info)
    if known and identifier not in known.aggregates:
        raise refusal("E-TX", _none_named("aggregate", identifier, known.aggregates))
    return identifier


def _known_to_be_lied_about(identifier: str, info: ValidationInfo) -> str:
    known = _known(info)
    return identifier if known and identifier in known.aggregates else _known_transaction(identifier, info)


def _identifier(identifier: str) -> str:
    if reason := wrong_with_identifier(identifier):
        raise refusal("E-NAME", reason)
    return identifier


PartyName = Annotated[str, AfterValidator(_one_party)]
PartyPattern = Annotated[str, AfterValidator(_some_parties)]
TransactionName = Annotated[str, AfterValidator(_known_transaction)]
AggregateName = Annotated[str, AfterValidator(_known_aggregate)]
BlamedName = Annotated[str, AfterValidator(_known_to_be_lied_about)]
RefusedName = Annotated[str, AfterValidator(_known_to_be_refused)]
FaultName = Annotated[str, AfterValidator(_known_fault)]
NodePattern = Annotated[str, AfterValidator(_node_or_selector)]
Observer = Annotated[str, AfterValidator(_party_or_broker)]
Identifier = Annotated[
    str,
    AfterValidator(_identifier),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 40}),
]


def _form(value: object) -> str | None:
    return "word" if isinstance(value, str) else "list" if isinstance(value, list) else None


_ByForm = Discriminator(
    _form, custom_error_type="E-TYPE", custom_error_message="a name or a list of names is expected"
)
_Word = Annotated[PartyPattern, Tag("word")]
Parties = Annotated[_Word | Annotated[list[PartyPattern], Tag("list")], _ByForm]
Nodes = Annotated[
    Annotated[NodePattern, Tag("word")] | Annotated[list[NodePattern], Field(min_length=1), Tag("list")],
    _ByForm,
]
Observers = Annotated[Annotated[Observer, Tag("word")] | Annotated[list[Observer], Tag("list")], _ByForm]
SomeParties = Annotated[_Word | Annotated[list[PartyPattern], Field(min_length=1), Tag("list")], _ByForm]

"""What a scenario expects: rules that `privity run` finds to hold, broken or unconfirmed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenarios.model.references import (
    AggregateName,
    BlamedName,
    FaultName,
    Observers,
    Parties,
    PartyName,
    RefusedName,
    SomeParties,
    TransactionName,
)
from scenarios.model.seal_steps import SealName
from scenarios.model.starts import Moment
from scenarios.model.strict import Strict
from scenarios.model.values import (
    Lasting,
    OptionalDuration,
    OptionalHeight,
    OptionalLasting,
    OptionalTimes,
    Times,
    refusal,
)

Store = Literal["logs", "broker", "ledgers", "report"]
_WHEN = "when: a time, {height: 20}, {view: 3}, or end, the default"
STORES: tuple[Store, ...] = ("logs", "broker", "ledgers")  # By default: what every run leaves.


class AgreementRule(Strict):
    """All nodes hold the same block at every height."""

    check: Literal["agreement"]


class ReadersRule(Strict):
    """Exactly these parties, the sender among them, can read a transaction (or each one of a load)."""

    check: Literal["readers"]
    tx: TransactionName = Field(description="a send, a load, or one transaction of a load, like traffic-0001")
    are: Parties = Field(description="all who can read it, the sender too")
    could: Parties = Field(default=[], description="all who hold a key to it, and whom only a rule forbids")
    field: str | None = Field(
        default=None, min_length=1, description="of one field, like terms.price; of all of them by default"
    )
    at: Moment = Field(default="end", description=_WHEN)


class DeniedRule(Strict):
    """None of these parties can read a transaction (or any one of a load)."""

    check: Literal["denied"]
    tx: TransactionName = Field(description="a send, a load, or one transaction of a load, like traffic-0001")
    as_: SomeParties = Field(alias="as", description="who is denied")
    at: Moment = Field(default="end", description=_WHEN)


class NoPlaintextRule(Strict):
    """No payload, salt or key is found where its readers are not."""

    check: Literal["no_plaintext"]
    in_: list[Store] = Field(
        default=list(STORES),
        alias="in",
        min_length=1,
        description="where to search; in all but the report by default",
    )


class HeightRule(Strict):
    """How high the ledger of every node is: from `min` to `max`, or exactly `is`."""

    check: Literal["height"]
    min: OptionalHeight = Field(default=None, description="at least so many blocks")
    max: OptionalHeight = Field(default=None, description="at most so many blocks")
    is_: OptionalHeight = Field(default=None, alias="is", description="exactly so many blocks")
    at: Moment = Field(default="end", description=_WHEN)

    @model_validator(mode="after")
    def _has_bounds(self) -> HeightRule:
        if (self.min is None and self.max is None) == (self.is_ is None):
            raise refusal("E-MISSING", "height needs min or max, or is alone")
        _check_order(self.min, self.max)
        return self


class ProgressRule(Strict):
    """A block is committed soon after a fault begins (`during`) or ends (`after`)."""

    check: Literal["progress"]
    during: FaultName | None = Field(default=None, description="the fault from whose beginning time counts")
    after: FaultName | None = Field(default=None, description="the fault from whose end time counts")
    within: Lasting = Field(description="how soon, like 6s")

    @model_validator(mode="after")
    def _has_a_beginning(self) -> ProgressRule:
        if (self.during is None) == (self.after is None):
            raise refusal("E-MISSING", "progress needs either during or after, and the id of a fault")
        return self


class StallRule(Strict):
    """Nothing is committed while a fault lasts, because it must not be."""

    check: Literal["stall"]
    during: FaultName = Field(description="the fault that must stop the network")


class EvidenceRule(Strict):
    """Correct nodes keep proofs that voters contradicted themselves."""

    check: Literal["evidence"]
    during: FaultName | None = Field(default=None, description="while this fault lasts; ever by default")
    min: Times = Field(default=1, description="at least so many")
    of: SomeParties | None = Field(default=None, description="against these; against anyone by default")


class ViewChangesRule(Strict):
    """How often a new primary takes over: `min` to `max` times."""

    check: Literal["view_changes"]
    min: OptionalTimes = Field(default=None, description="at least so often")
    max: OptionalTimes = Field(default=None, description="at most so often")

    @model_validator(mode="after")
    def _has_a_bound(self) -> ViewChangesRule:
        if self.min is None and self.max is None:
            raise refusal("E-MISSING", "view_changes needs min or max")
        _check_order(self.min, self.max)
        return self


class LatencyRule(Strict):
    """How long transactions take to finality."""

    check: Literal["latency"]
    p50: OptionalLasting = Field(default=None, description="half of them take at most this")
    p99: OptionalLasting = Field(default=None, description="99 of 100 take at most this")
    max: OptionalLasting = Field(default=None, description="none takes longer")
    of: TransactionName | None = Field(default=None, description="a send or a load; all by default")

    @model_validator(mode="after")
    def _has_a_limit(self) -> LatencyRule:
        if self.p50 is None and self.p99 is None and self.max is None:
            raise refusal("E-MISSING", "latency needs p50, p99 or max")
        return self


class MessagesRule(Strict):
    """How many messages consensus needs: at most `max` times n² for each block, n the number of voters."""

    check: Literal["messages"]
    max: Times = Field(description="how often n², like 3")


class MetadataRule(Strict):
    """Exactly these know something about a transaction that is not its content."""

    check: Literal["metadata"]
    tx: TransactionName = Field(description="a send, a load, or one transaction of a load, like traffic-0001")
    knows: Literal["recipients", "sender", "size"] = Field(description="what: recipients, sender or size")
    are: Observers = Field(description="all who know it: parties, and broker")


class LearnsOnlyRule(Strict):
    """A party learns the total of an aggregate, and no contributor's value."""

    check: Literal["learns_only"]
    as_: SomeParties = Field(alias="as", description="who: the coordinator, or others that learn no more")
    tx: AggregateName = Field(description="an aggregate")
    what: Literal["total", "nothing"] = Field(
        default="total", description="what they learn; nothing: not even the total"
    )


class OpenedRule(Strict):
    """All that lies under a seal was opened to those whom it is for, by these openers."""

    check: Literal["opened"]
    seal: SealName = Field(description="which seal")
    by: SomeParties | None = Field(
        default=None, description="exactly these openers released their shares; enough of them by default"
    )
    at: OptionalDuration = Field(default=None, description="when; at the end by default")


class RefusedRule(Strict):
    """The nodes take nothing of what a replay hands in; a write has no effect for any of its readers."""

    check: Literal["refused"]
    step: RefusedName = Field(description="a replay, or a send or one transaction of a load that writes")


class PrivateStateRule(Strict):
    """All parties of each audience hold the same objects: opened anew with their keys, and as they say."""

    check: Literal["private_state"]


class BlamedRule(Strict):
    """A party is proved a liar about a transaction or an aggregate, and nobody else is.

    Proofs that nodes keep are judged anew; of rounds and challenges the ledger tells.
    """

    check: Literal["blamed"]
    who: PartyName = Field(description="who lied: a sender, an opener, a contributor or a coordinator")
    tx: BlamedName = Field(
        description="a send, a load, one transaction of a load, like traffic-0001, or an aggregate"
    )
    by: Parties | None = Field(
        default=None, description="exactly these keep a proof or found it; at least one party by default"
    )


def _check_order(least: int | None, most: int | None) -> None:
    if least is not None and most is not None and least > most:
        raise refusal("E-VALUE", "min is larger than max")


Rule = Annotated[
    AgreementRule
    | ReadersRule
    | DeniedRule
    | NoPlaintextRule
    | HeightRule
    | ProgressRule
    | StallRule
    | EvidenceRule
    | ViewChangesRule
    | LatencyRule
    | MessagesRule
    | MetadataRule
    | OpenedRule
    | RefusedRule
    | BlamedRule
    | LearnsOnlyRule
    | PrivateStateRule,
    Field(discriminator="check"),
]

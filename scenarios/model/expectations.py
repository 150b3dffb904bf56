"""What a scenario expects: rules that `privity run` finds to hold, broken or unconfirmed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from scenarios.model.steps import Strict
from scenarios.model.values import Moment, OptionalHeight, Parties, SomeParties, TransactionName, refusal

Store = Literal["logs", "broker", "ledgers"]
STORES: tuple[Store, ...] = ("logs", "broker", "ledgers")


class AgreementRule(Strict):
    """All nodes hold the same block at every height."""

    check: Literal["agreement"]


class ReadersRule(Strict):
    """Exactly these parties, the sender among them, can read a transaction (or each one of a load)."""

    check: Literal["readers"]
    tx: TransactionName = Field(description="a send, a load, or one transaction of a load, like traffic-0001")
    are: Parties = Field(description="all who can read it, the sender too")
    at: Moment = Field(default="end", description="when; end by default")


class DeniedRule(Strict):
    """None of these parties can read a transaction (or any one of a load)."""

    check: Literal["denied"]
    tx: TransactionName = Field(description="a send, a load, or one transaction of a load, like traffic-0001")
    as_: SomeParties = Field(alias="as", description="who is denied")
    at: Moment = Field(default="end", description="when; end by default")


class NoPlaintextRule(Strict):
    """No payload, salt or key is found where its readers are not."""

    check: Literal["no_plaintext"]
    in_: list[Store] = Field(
        default=list(STORES), alias="in", min_length=1, description="where to search; all of them by default"
    )


class HeightRule(Strict):
    """How high the ledger of every node is: at least `min`, or exactly `is`."""

    check: Literal["height"]
    min: OptionalHeight = Field(default=None, description="at least so many blocks")
    is_: OptionalHeight = Field(default=None, alias="is", description="exactly so many blocks")
    at: Moment = Field(default="end", description="when; end by default")

    @model_validator(mode="after")
    def _has_one_bound(self) -> HeightRule:
        if (self.min is None) == (self.is_ is None):
            raise refusal("E-MISSING", "height needs either min or is")
        return self


Rule = Annotated[
    AgreementRule | ReadersRule | DeniedRule | NoPlaintextRule | HeightRule, Field(discriminator="check")
]

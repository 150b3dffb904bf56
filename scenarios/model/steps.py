"""The steps of a scenario: `send`, one private transaction, `load`, many drawn ones, `replay`, and others."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator

from node.envelopes.rule import Redisclose
from scenarios.model.aggregate_steps import AggregateStep
from scenarios.model.any_fault import AnyFault
from scenarios.model.consent_steps import ConsentStep, RevokeStep
from scenarios.model.disclosure_steps import DiscloseStep, RequestStep
from scenarios.model.purge_steps import PurgeStep
from scenarios.model.references import (
    Identifier,
    Parties,
    PartyName,
    PartyPattern,
    SomeParties,
    TransactionName,
)
from scenarios.model.seal_steps import ChallengeStep, OpenStep, SealName
from scenarios.model.starts import WHEN, Start
from scenarios.model.strict import Strict
from scenarios.model.units import Rate
from scenarios.model.values import (
    Burst,
    HowMany,
    ObjectName,
    OptionalBlocks,
    OptionalCount,
    OptionalDuration,
    OptionalRate,
    OptionalSize,
    Payload,
    Version,
    expects_something,
    refusal,
)

DEFAULT_RATE = Rate(10, 1000)
REDISCLOSE = "whether readers may show it on: forbidden, with-consent or free; privacy.redisclose by default"


class SendStep(Strict):
    """One private transaction, for named readers or under a seal."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["to"]}, {"required": ["seal"]}]})
    do: Literal["send"]
    id: Identifier = Field(
        default="",
        description="its name in messages and expectations; by default send-N, N its place among the steps",
    )
    at: Start = Field(default=0, description=WHEN)
    as_: PartyName = Field(alias="as", description="the sender")
    to: Parties | None = Field(
        default=None, description="who may read it beside the sender; bank-* for several"
    )
    seal: SealName | None = Field(
        default=None, description="in place of to: nobody reads it before this seal is opened"
    )
    expect: Literal["refused"] | None = Field(
        default=None, description="refused: it must come too late for its seal"
    )
    keep: OptionalBlocks = Field(
        default=None,
        description="after so many blocks each node erases it, like 30 blocks; by default never",
    )
    redisclose: Redisclose | None = Field(default=None, description=REDISCLOSE)
    object: ObjectName = Field(
        default=None, repr=False, description="the private object of its readers that it writes, like loan-17"
    )
    expects: Version = Field(
        default=None,
        repr=False,
        description="the version that the object must have; 0, the default: it is new",
    )
    data: Payload = Field(repr=False, description="the payload, a map of fields")

    @model_validator(mode="after")
    def _says_for_whom(self) -> SendStep:
        if self.seal is None and self.to is None:
            raise refusal("E-MISSING", "to is missing: who may read it beside the sender ([] for nobody)")
        if self.seal is not None and self.to is not None:
            raise refusal("E-VALUE", "to and seal exclude each other: the seal says who reads it, and when")
        if self.expect is not None and self.seal is None:
            raise refusal("E-VALUE", "expect: refused is for what comes too late for its seal")
        if self.seal is not None and self.object is not None:
            message = "object and seal exclude each other: nobody could judge it; write it when it is open"
            raise refusal("E-VALUE", message)
        return self

    _has_an_object = model_validator(mode="after")(expects_something)


class RandomReaders(Strict):
    """Readers drawn anew for each transaction."""

    random: HowMany = Field(description="how many, like 2 or 1..3")
    among: Parties = Field(default="*", description="drawn from these; everybody by default")


def _form_of_readers(value: object) -> str | None:
    if isinstance(value, str):
        return "random" if value == "random" else "word"
    return "list" if isinstance(value, list) else "map" if isinstance(value, dict) else None


# One branch for each form, in the schema too, where "random" would fit both.
_OTHER_WORD = WithJsonSchema({"type": "string", "not": {"const": "random"}})

Readers = Annotated[
    Annotated[Literal["random"], Tag("random")]
    | Annotated[PartyPattern, Tag("word"), _OTHER_WORD]
    | Annotated[list[PartyPattern], Tag("list")]
    | Annotated[RandomReaders, Tag("map")],
    Discriminator(
        _form_of_readers,
        custom_error_type="E-TYPE",
        custom_error_message="write random, {random: 1..3} or a list of names",
    ),
]


class LoadStep(Strict):
    """Many private transactions, drawn from the seed.

    Give `count`, or `for` with `rate`, or `count` with either; a count alone goes at 10/s.
    """

    do: Literal["load"]
    id: Identifier = Field(
        default="", description="its name; its transactions are NAME-0001 and so on; load-N by default"
    )
    at: Start = Field(
        default=0, description="when the first is sent: a time, {height: 20} or {view: 3}; 0s by default"
    )
    as_: SomeParties = Field(alias="as", description="the sender of each is drawn from these")
    to: Readers = Field(description="random (one), {random: 1..3}, or the same readers for all")
    rate: OptionalRate = Field(default=None, description="how fast; 10/s by default")
    for_: OptionalDuration = Field(default=None, alias="for", description="for how long")
    count: OptionalCount = Field(default=None, description="how many")
    distribution: Literal["even", "poisson"] = Field(
        default="even", description="even: equal pauses; poisson: drawn ones of the same mean"
    )
    burst: Burst = Field(default=1, description="so many at once, with pauses that keep the rate")
    size: OptionalSize = Field(default=None, description="filled up to about this size, 64KiB at most")
    keep: OptionalBlocks = Field(
        default=None,
        description="after so many blocks each node erases it, like 30 blocks; by default never",
    )
    redisclose: Redisclose | None = Field(default=None, description=REDISCLOSE)
    object: ObjectName = Field(
        default=None, repr=False, description="the private object of its readers that it writes, like loan-17"
    )
    expects: Version = Field(
        default=None,
        repr=False,
        description="the version that the object must have; 0, the default: it is new",
    )
    data: Payload = Field(
        default={}, repr=False, description='the payload; a field written "1..9" is drawn anew each time'
    )

    _has_an_object = model_validator(mode="after")(expects_something)

    @model_validator(mode="after")
    def _has_an_end(self) -> LoadStep:
        given = [
            name
            for name, value in (("rate", self.rate), ("for", self.for_), ("count", self.count))
            if value is not None
        ]
        if len(given) == 3:
            raise refusal("E-VALUE", "rate, for and count together say too much; leave one out")
        if self.for_ is None and self.count is None:
            raise refusal("E-MISSING", "a load needs an end: count, or for with rate")
        if given == ["for"]:
            raise refusal("E-MISSING", "for needs rate or count beside it")
        return self

    @property
    def timing(self) -> tuple[int, Rate]:
        """How many transactions there are, and their pace."""
        if self.count is None:
            assert self.rate is not None and self.for_ is not None
            return self.for_ * self.rate.times // self.rate.per_ms, self.rate
        if self.for_ is not None:
            return self.count, Rate(self.count, max(1, self.for_))
        return self.count, self.rate or DEFAULT_RATE


class ReplayStep(Strict):
    """An earlier transaction is handed in once more, byte for byte, as whoever heard it could do."""

    do: Literal["replay"]
    id: Identifier = Field(
        default="", description="its name; by default replay-N, N its place among the steps"
    )
    at: Start = Field(default=0, description=WHEN)
    tx: TransactionName = Field(description="a send that is earlier, or one transaction of a load")


Step = Annotated[
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
    | AnyFault,
    Field(discriminator="do"),
]

"""The step `aggregate`: contributors give a coordinator the total of their values, and not one of these."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema
from pydantic.functional_validators import BeforeValidator

from node.chain.round_deeds import FIELD_LIMIT, LEAST_CONTRIBUTORS, MOST_CONTRIBUTORS
from scenarios.model.references import Identifier, PartyName, SomeParties
from scenarios.model.starts import WHEN, Start
from scenarios.model.strict import Strict
from scenarios.model.values import Payload, refusal


def _field(name: object) -> object:
    allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
    if isinstance(name, str) and 1 <= len(name) <= FIELD_LIMIT and set(name) <= set(allowed):
        return name
    raise refusal(
        "E-VALUE", f"the name of what is summed is public: 1 to {FIELD_LIMIT} of A-Z, a-z, 0-9, _, . and -"
    )


def _minimum(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < LEAST_CONTRIBUTORS:
            message = f"a total of {value} gives values away; no node takes a minimum below"
            raise refusal("E-FEW", f"{message} {LEAST_CONTRIBUTORS}")
        if value <= MOST_CONTRIBUTORS:
            return value
    raise refusal("E-VALUE", f"a whole number from {LEAST_CONTRIBUTORS} to {MOST_CONTRIBUTORS} is expected")


FieldName = Annotated[
    str,
    BeforeValidator(_field),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_.-]+$", "maxLength": FIELD_LIMIT}),
]
Minimum = Annotated[
    int,
    BeforeValidator(_minimum),
    WithJsonSchema({"type": "integer", "minimum": LEAST_CONTRIBUTORS, "maximum": MOST_CONTRIBUTORS}),
]


class AggregateStep(Strict):
    """A coordinator learns the total of one number from each contributor, and nothing else."""

    do: Literal["aggregate"]
    id: Identifier = Field(
        default="", description="its name; by default aggregate-N, N its place among the steps"
    )
    at: Start = Field(default=0, description=WHEN)
    as_: PartyName = Field(alias="as", description="the coordinator, who gives no value itself")
    from_: SomeParties = Field(alias="from", description="who contributes: at least 4, as bank-*")
    field: FieldName = Field(description="what is summed, a name that everybody sees")
    learn: Literal["total"] = Field(default="total", description="what the coordinator learns")
    minimum: Minimum = Field(
        default=LEAST_CONTRIBUTORS, description="with fewer values there is no total; 4 by default"
    )
    data: Payload = Field(
        repr=False, description='the field: a number for all, "1..9" drawn for each, or a map by contributor'
    )

"""The steps about what was sent already: `disclose` shows it to further parties, `request` asks for it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from node.chain.deeds import REASON_LIMIT, check_reason
from scenarios.model.references import Identifier, PartyName, SomeParties, TransactionName
from scenarios.model.starts import WHEN, Start
from scenarios.model.strict import Strict
from scenarios.model.values import Text, refusal

LATEST_REQUEST = "request"


def _reason(text: str) -> str:
    if wrong := check_reason(text):
        raise refusal("E-REASON", f"not a usable reason: {wrong}")
    return text


Reason = Annotated[
    str,
    AfterValidator(_reason),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": REASON_LIMIT}),
]


class DiscloseStep(Strict):
    """A reader shows an earlier transaction, or some of its fields, to further parties, on the record."""

    do: Literal["disclose"]
    id: Identifier = Field(
        default="", description="its name; by default disclose-N, N its place among the steps"
    )
    at: Start = Field(default=0, description=WHEN)
    tx: TransactionName = Field(description="a send that is earlier, or one transaction of a load")
    as_: PartyName = Field(alias="as", description="who discloses: its sender, or a reader it named")
    to: SomeParties = Field(description="to whom, beside those who read it already")
    fields: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None, repr=False, description="which fields, as [price, terms.days]; the whole by default"
    )
    reason: Reason | None = Field(
        default=None, description="why, in one line on the ledger; that of the request by default"
    )
    answers: str | None = Field(
        default=None, description="the id of the request that led to it, or request for the latest one"
    )

    breach: bool = Field(
        default=False, description="true: as a modified client would, whatever the owner's rule says"
    )

    @model_validator(mode="after")
    def _says_why(self) -> DiscloseStep:
        if self.reason is None and self.answers is None:
            raise refusal("E-MISSING", "a disclosure needs a reason, or the request that it answers")
        return self


class RequestStep(Strict):
    """A party asks another, on the record, to be shown an earlier transaction."""

    do: Literal["request"]
    id: Identifier = Field(
        default="", description="its name; by default request-N, N its place among the steps"
    )
    at: Start = Field(default=0, description=WHEN)
    tx: TransactionName = Field(description="a send that is earlier, or one transaction of a load")
    as_: PartyName = Field(alias="as", description="who asks")
    of: PartyName = Field(description="who is asked")
    reason: Reason = Field(description="why, in one line that everybody can read on the ledger")

"""The steps by which an owner agrees that readers show its transaction on, or withdraws it from parties."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenarios.model.disclosure_steps import Reason
from scenarios.model.references import Identifier, PartyName, SomeParties, TransactionName
from scenarios.model.starts import WHEN, Start
from scenarios.model.strict import Strict
from scenarios.model.values import OptionalBlocks

CONSENTED = "consent of the owner"
WITHDRAWN = "consent withdrawn"
Whom = Literal["public", "hidden"]


class ConsentStep(Strict):
    """The sender of a transaction agrees, on the record, that its readers show it to further parties."""

    do: Literal["consent"]
    id: Identifier = Field(
        default="", description="its name; by default consent-N, N its place among the steps"
    )
    at: Start = Field(default=0, description=WHEN)
    tx: TransactionName = Field(description="a send that is earlier, or one transaction of a load")
    as_: PartyName = Field(alias="as", description="its sender, who alone can agree")
    to: SomeParties = Field(description="to whom readers may show it from then on")
    for_: OptionalBlocks = Field(
        default=None, alias="for", description="for so many blocks, like 30 blocks; else until it is revoked"
    )
    whom: Whom = Field(
        default="public", description="hidden: only who reads the transaction recognises the parties"
    )
    reason: Reason = Field(default=CONSENTED, description="in one line that everybody can read on the ledger")


class RevokeStep(Strict):
    """The sender of a transaction withdraws it, on the record, from parties that read it."""

    do: Literal["revoke"]
    id: Identifier = Field(
        default="", description="its name; by default revoke-N, N its place among the steps"
    )
    at: Start = Field(default=0, description=WHEN)
    tx: TransactionName = Field(description="a send that is earlier, or one transaction of a load")
    as_: PartyName = Field(alias="as", description="its sender, who alone can withdraw it")
    of: SomeParties = Field(description="from whom: readers that it named, or parties that it agreed to")
    whom: Whom = Field(
        default="public", description="hidden: only who reads the transaction recognises the parties"
    )
    reason: Reason = Field(default=WITHDRAWN, description="in one line that everybody can read on the ledger")

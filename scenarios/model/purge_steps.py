"""The step by which the sender of a transaction has every node erase it at once."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenarios.model.disclosure_steps import Reason
from scenarios.model.references import Identifier, PartyName, TransactionName
from scenarios.model.starts import WHEN, Start
from scenarios.model.strict import Strict

ERASE = "erased at the sender's wish"


class PurgeStep(Strict):
    """The sender of a transaction has every node erase its payload at once, on the record."""

    do: Literal["purge"]
    id: Identifier = Field(
        default="", description="its name; by default purge-N, N its place among the steps"
    )
    at: Start = Field(default=0, description=WHEN)
    tx: TransactionName = Field(description="a send that is earlier, or one transaction of a load")
    as_: PartyName = Field(alias="as", description="its sender, who alone can have it erased")
    reason: Reason = Field(default=ERASE, description="in one line that everybody can read on the ledger")

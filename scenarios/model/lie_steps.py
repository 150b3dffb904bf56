"""Faults of parties that lie about shares and totals: their clients do it, while their nodes are correct."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenarios.model.fault_steps import FaultStep
from scenarios.model.references import Nodes
from scenarios.model.values import OptionalLasting

_WHO = "the parties that lie, by name"
_FOR = "for what steps begin meanwhile; to the end by default"


class LieStep(FaultStep):
    """What every lie of a client has."""

    nodes: Nodes = Field(description=_WHO)
    for_: OptionalLasting = Field(default=None, alias="for", description=_FOR)


class BadShareStep(LieStep):
    """Openers release a share that is not the one they were dealt; each later reader's node proves it."""

    kind: Literal["bad-share"]


class WithholdShareStep(LieStep):
    """Openers ask for a seal to be opened and keep their shares back; a challenge gets them named."""

    kind: Literal["withhold-share"]


class InconsistentSharesStep(LieStep):
    """Parties deal one holder a share that does not meet its hash: under a seal, or in an aggregate."""

    kind: Literal["inconsistent-shares"]


class TwoValuesStep(LieStep):
    """Contributors to an aggregate put in two values, of which the first counts."""

    kind: Literal["two-values"]


class WrongTotalStep(LieStep):
    """The coordinator of an aggregate announces another total than the sum; each contributor finds out."""

    kind: Literal["wrong-total"]


class WithholdTotalStep(LieStep):
    """The coordinator of an aggregate learns the total and announces none; its contributors name it."""

    kind: Literal["withhold-total"]


AnyLie = (
    BadShareStep
    | WithholdShareStep
    | InconsistentSharesStep
    | TwoValuesStep
    | WrongTotalStep
    | WithholdTotalStep
)

"""Every fault that a step of a file can be, told apart by its kind."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field

from scenarios.model.fault_steps import (
    BrokerOutageStep,
    BrokerRestartStep,
    CensorStep,
    CorruptDiskStep,
    CrashStep,
    DelayStep,
    DisconnectStep,
    DuplicateStep,
    EquivocateStep,
    FaultStep,
    FloodStep,
    LossStep,
    PartitionStep,
    PauseStep,
    ReorderStep,
    RestartStep,
    SilentStep,
    SkewStep,
    SlowStep,
    TwoTalesStep,
)
from scenarios.model.lie_steps import (
    BadShareStep,
    InconsistentSharesStep,
    TwoValuesStep,
    WithholdShareStep,
    WithholdTotalStep,
    WrongTotalStep,
)

AnyFault = Annotated[
    CrashStep
    | RestartStep
    | PauseStep
    | DisconnectStep
    | PartitionStep
    | DelayStep
    | LossStep
    | DuplicateStep
    | ReorderStep
    | EquivocateStep
    | SilentStep
    | CensorStep
    | SlowStep
    | FloodStep
    | TwoTalesStep
    | BadShareStep
    | WithholdShareStep
    | InconsistentSharesStep
    | TwoValuesStep
    | WrongTotalStep
    | WithholdTotalStep
    | CorruptDiskStep
    | SkewStep
    | BrokerRestartStep
    | BrokerOutageStep,
    Field(discriminator="kind"),
]

FAULTS: dict[str, type[FaultStep]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model for model in get_args(get_args(AnyFault)[0])
}
"""By the word of its kind, in the order in which kinds are listed."""

"""Seals as they stand in a file: the section `seals`, and the step `open`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from node.envelopes.shares import MAX_OPENERS
from node.seals.seal import MAX_LATER_READERS
from node.text import did_you_mean
from scenarios.model.names import wrong_with_name
from scenarios.model.references import Identifier, Known, PartyName, SomeParties
from scenarios.model.starts import WHEN, Start
from scenarios.model.strict import Strict
from scenarios.model.values import Duration, refusal
from scenarios.model.wording import listed, shown


def _seal_key(name: str) -> str:
    if reason := wrong_with_name(name):
        raise refusal("E-NAME", reason.replace("party", "seal"))
    return name


def _known_seal(name: str, info: ValidationInfo) -> str:
    known = info.context if isinstance(info.context, Known) else None
    if known and name not in known.seals:
        hint = did_you_mean(name, known.seals) or f"there are {listed(known.seals) or 'none'}"
        raise refusal("E-SEAL", f"no seal named {shown(name)}; {hint}")
    return name


SealKey = Annotated[str, AfterValidator(_seal_key)]
SealName = Annotated[str, AfterValidator(_known_seal)]


class SealSpec(Strict):
    """Content that nobody but its sender may read before openers unseal it together."""

    opens_at: Start = Field(
        description="from when on it may be opened: a time, or {height: 20}; what comes later is late"
    )
    openers: SomeParties = Field(description=f"who holds a share of the key, {MAX_OPENERS} at most")
    threshold: Annotated[int, Field(ge=1, le=MAX_OPENERS)] | None = Field(
        default=None, description="so many openers open it together; all of them by default"
    )
    then_to: SomeParties = Field(
        description=f"who reads it once it is open, {MAX_LATER_READERS} at most; openers only if named here"
    )


class OpenStep(Strict):
    """Openers ask for a seal to be opened, on the record, and hand over their shares once it may be."""

    do: Literal["open"]
    id: Identifier = Field(default="", description="its name; by default open-N, N its place among the steps")
    at: Start = Field(default=0, description=WHEN)
    seal: SealName = Field(description="which seal")
    as_: SomeParties = Field(alias="as", description="who opens: one or more of its openers")
    expect: Literal["refused"] | None = Field(
        default=None, description="refused: the request must have no effect, as one before opens_at"
    )


class ChallengeStep(Strict):
    """A party says on the record that an opener's shares are missing or unreadable.

    The opener answers with a release within some blocks, or is named.
    """

    do: Literal["challenge"]
    id: Identifier = Field(
        default="", description="its name; by default challenge-N, N its place among the steps"
    )
    at: Duration = Field(default=0, description="when, counted from the genesis; the seal must be open")
    seal: SealName = Field(description="which seal")
    as_: PartyName = Field(alias="as", description="who lacks the shares")
    of: PartyName = Field(description="the opener that owes them")

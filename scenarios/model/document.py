"""The scenario file as pydantic models: the source for reading, for JSON Schema and for `check --fill`.

The default of each field stands beside it. Steps and expectations are in their own modules.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from node.consortium import MAX_PARTIES
from node.envelopes.rule import Redisclose
from node.seals.seal import MAX_SEALS
from scenarios.model.expectations import Rule
from scenarios.model.names import expand, wrong_with_name
from scenarios.model.profiles import ProfileName, with_profile
from scenarios.model.references import Parties, SomeParties
from scenarios.model.seal_steps import SealKey, SealSpec
from scenarios.model.steps import Step
from scenarios.model.strict import Strict
from scenarios.model.values import (
    Broker,
    Delay,
    Duration,
    OptionalBlocks,
    OptionalDelay,
    Percent,
    Seed,
    Text,
    refusal,
)

MAX_COPIES = 31


def _zone_name(name: str) -> str:
    if not re.fullmatch("[a-z0-9]{1,20}", name):
        raise refusal("E-NAME", "a zone is one word of a-z and 0-9; a hyphen joins two zones")
    return name


class NetworkSection(Strict):
    """How messages travel."""

    transport: Literal["mqtt", "memory"] = Field(
        default="mqtt", description="mqtt: a real broker, real time; memory: simulated, repeats from the seed"
    )
    broker: Broker = Field(
        default="embedded",
        repr=False,
        description="embedded, mosquitto, mqtt://host:port or mqtts://host:port",
    )
    preset: Literal["lan", "wan", "lossy"] | None = Field(
        default=None, description="a network with a name: lan, wan or lossy; none by default"
    )
    delay: OptionalDelay = Field(default=None, description="how long a packet takes, one way")
    loss: Percent = Field(default=0.0, description="the chance that a packet is lost")
    duplicate: Percent = Field(default=0.0, description="the chance that a packet comes twice")
    reorder: Percent = Field(default=0.0, description="the chance that later packets overtake a packet")
    zones: dict[Annotated[str, AfterValidator(_zone_name)], SomeParties] = Field(
        default={}, description="parties that are near each other: {europe: [a, b], asia: [c]}"
    )
    latency: dict[str, Delay] = Field(
        default={}, description="one way between zones, and within: {europe-asia: 80ms, europe: 5ms..10ms}"
    )


class ConsensusSection(Strict):
    """How the order is agreed."""

    protocol: Literal["pbft"] = Field(default="pbft", description="Castro and Liskov, 1999")
    block_every: Duration = Field(
        default=200, description="the least time between two blocks; no empty blocks"
    )
    view_timeout: Duration = Field(
        default=2000, description="how long a request may wait before the primary is replaced"
    )

    @model_validator(mode="after")
    def _can_work(self) -> ConsensusSection:
        if self.block_every < 10:
            raise refusal("E-DURATION", "block_every is at least 10ms")
        if self.view_timeout <= self.block_every:
            raise refusal("E-DURATION", "view_timeout must be longer than block_every")
        return self


class MetadataSection(Strict):
    """What those who may not read a transaction still learn of it."""

    sender: Literal["public"] = Field(default="public", description="everyone sees who sent")
    recipients: Literal["hidden"] = Field(default="hidden", description="only readers know the readers")
    size: Literal["padded"] = Field(default="padded", description="everyone sees a size bucket, no more")


class PrivacySection(Strict):
    """Who holds and who sees what."""

    payload: Literal["on_chain", "off_chain"] = Field(
        default="on_chain",
        description="on_chain: every node holds the ciphertext; off_chain: its readers alone",
    )
    copies: Annotated[int, Field(ge=1, le=MAX_COPIES)] | Literal["all"] = Field(
        default=1, description="off_chain: how many readers have receipted a payload before it is ordered"
    )
    receipt_timeout: Duration = Field(
        default=5000, description="off_chain: how long a sender waits for these receipts"
    )
    metadata: MetadataSection = MetadataSection()
    always_to: Parties = Field(
        default=[], description="mandatory readers: parties that read every transaction, like [regulator]"
    )

    keep: OptionalBlocks = Field(
        default=None, description="after so many blocks each node erases a payload; a step may say otherwise"
    )
    redisclose: Redisclose = Field(
        default="free", description="whether readers may show on what they read; a step may say otherwise"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> PrivacySection:
        if self.payload == "on_chain" and (self.copies != 1 or self.receipt_timeout != 5000):
            raise refusal("E-VALUE", "copies and receipt_timeout need payload: off_chain")
        if self.receipt_timeout < 100:
            raise refusal("E-DURATION", "receipt_timeout is at least 100ms")
        return self


def _nothing_is_default(value: object) -> object:
    return {} if value is None else value


class PartySpec(Strict):
    """One organisation."""

    role: Literal["member", "notary", "coordinator", "regulator"] = Field(
        default="member", description="a word for people"
    )
    votes: bool = Field(default=True, description="true: takes part in consensus; false: follows the chain")
    title: Text = Field(default="", max_length=200, description="its name for people; public")


def _party_key(name: str) -> str:
    for one in expand(name):
        if reason := wrong_with_name(one):
            raise refusal("E-NAME", reason)
    return name


def _enough_parties(value: object) -> object:
    if not value and (value is None or isinstance(value, dict | list)):
        raise refusal("E-PARTIES", "there are no parties; name at least one, as in {alice: {votes: true}}")
    return value


def _can_agree(parties: dict[str, PartySpec]) -> dict[str, PartySpec]:
    names = [one for name in parties for one in expand(name)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise refusal("E-PARTIES", f"{twice[0]} is there twice: by its name and in a series")
    if len(names) > MAX_PARTIES:
        raise refusal("E-LIMIT", f"{len(names)} parties; at most {MAX_PARTIES} are possible")
    if not any(party.votes for party in parties.values()):
        raise refusal("E-PARTIES", "nobody votes; at least one party needs votes: true")
    return parties


PartiesSection = Annotated[
    dict[
        Annotated[str, AfterValidator(_party_key)], Annotated[PartySpec, BeforeValidator(_nothing_is_default)]
    ],
    BeforeValidator(_enough_parties),
    AfterValidator(_can_agree),
]


def _parties_schema(schema: dict[str, Any]) -> None:
    """What the validators above do, said in JSON Schema."""
    schema["minProperties"] = 1
    schema["additionalProperties"] = {"anyOf": [schema["additionalProperties"], {"type": "null"}]}
    schema["propertyNames"] = {"pattern": r"^[a-z0-9]([a-z0-9-]|\[\w+\.\.\w+\])*$"}


class ScenarioDocument(Strict):
    """A scenario: who takes part, what happens, and what must be true in the end."""

    privity: Literal[1] = Field(description="1, the version of this format")
    name: Text = Field(default="", max_length=64, description="by default the name of the file")
    about: Text = Field(default="", max_length=500, description="a sentence for the reader")
    seed: Seed = Field(default=0, description="everything drawn comes from this number")
    profile: ProfileName | None = Field(
        default=None, description="defaults for a kind of user: b2b, b2c or b2g; none by default"
    )
    crypto: Literal["seeded", "os"] | None = Field(
        default=None,
        description="where transport: memory has keys and nonces from; seeded by default, or os",
    )
    network: NetworkSection = NetworkSection()
    consensus: ConsensusSection = ConsensusSection()
    privacy: PrivacySection = PrivacySection()
    state_check: OptionalBlocks = Field(
        default=None,
        description="how often parties compare the objects they share; 20 blocks where steps write objects",
    )
    parties: PartiesSection = Field(
        json_schema_extra=_parties_schema,
        description="names, each with role, votes and title; bank-[a..g] names seven",
    )
    seals: dict[SealKey, SealSpec] = Field(
        default={},
        max_length=MAX_SEALS,
        json_schema_extra={"propertyNames": {"pattern": "^[a-z0-9][a-z0-9-]*$"}},
        description="content that openers unseal together: {tender: {opens_at: 12s, openers: [a, b], ...}}",
    )
    steps: list[Step] = Field(default=[], description="what happens, each at its time")
    expect: list[Rule] = Field(default=[], description="what must be true")

    @model_validator(mode="before")
    @classmethod
    def _with_profile(cls, data: Any) -> Any:
        return with_profile(data)

    @model_validator(mode="after")
    def _has_who_its_profile_needs(self) -> ScenarioDocument:
        if self.profile == "b2g" and not self.privacy.always_to:
            raise refusal("E-MISSING", "profile b2g needs a party with role: regulator, or privacy.always_to")
        return self

    @model_validator(mode="after")
    def _says_where_keys_are_from(self) -> ScenarioDocument:
        if self.crypto is None and self.network.transport == "memory":
            self.crypto = "seeded"
        return self

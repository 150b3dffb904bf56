"""Disclosures and requests of a checked scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from scenarios.model.disclosure_steps import LATEST_REQUEST, DiscloseStep, RequestStep
from scenarios.model.names import meant
from scenarios.model.starts import Place, comes_before, order_of, start_of

AnyStep = TypeVar("AnyStep")


@dataclass(frozen=True, slots=True)
class Disclose:
    """A reader shows `tx` to `receivers`: the fields named, or the whole if `fields` is None.

    `answers` is the id of a request, or empty. In `breach` of the owner's rule an honest client would not.
    """

    id: str
    line: int
    at_ms: int
    tx: str
    discloser: str
    receivers: tuple[str, ...]
    fields: tuple[str, ...] | None = field(repr=False)
    reason: str = field(repr=False)
    answers: str = ""
    breach: bool = False
    trigger: Place | None = None

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its transactions: none that an expectation could name."""
        return ()

    def describe(self) -> str:
        """What it does, in words; a reason is public, names of fields are not."""
        count = "whole" if self.fields is None else f"{len(self.fields)} named"
        how = ", in breach of its owner's rule" if self.breach else ""
        whom = ", ".join(self.receivers)
        return f"{self.discloser} shows {self.tx} ({count}) to {whom}{how}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Ask:
    """`asker` asks `of` to be shown `tx`."""

    id: str
    line: int
    at_ms: int
    tx: str
    asker: str
    of: str
    reason: str = field(repr=False)
    trigger: Place | None = None

    @property
    def transactions(self) -> tuple[str, ...]:
        """The ids of its transactions: none that an expectation could name."""
        return ()

    def describe(self) -> str:
        """What it does, in words."""
        return f"{self.asker} asks {self.of} to be shown {self.tx}: {self.reason}"


def disclosure_of(step: DiscloseStep | RequestStep, line: int, names: Sequence[str]) -> Disclose | Ask:
    """The step with every party named in full."""
    at_ms, trigger = start_of(step.at)
    if isinstance(step, RequestStep):
        return Ask(step.id, line, at_ms, step.tx, step.as_, step.of, step.reason, trigger)
    receivers = tuple(name for name in meant(step.to, names) if name != step.as_)
    fields = None if step.fields is None else tuple(step.fields)
    return Disclose(
        step.id,
        line,
        at_ms,
        step.tx,
        step.as_,
        receivers,
        fields,
        step.reason or "",
        step.answers or "",
        step.breach,
        trigger,
    )


def with_reasons(steps: Sequence[AnyStep]) -> tuple[AnyStep, ...]:
    """The steps, where a disclosure without a reason of its own has that of the request that it answers."""
    asked = [step for step in steps if isinstance(step, Ask)]
    reasons = {ask.id: ask.reason for ask in asked}
    return tuple(
        replace(step, reason=reasons.get(latest_request(step, asked) or "", ""))
        if isinstance(step, Disclose) and not step.reason
        else step
        for step in steps
    )


def latest_request(disclosure: Disclose, asked: Sequence[Ask]) -> str | None:
    """The id of the request that a disclosure answers; None if there is no such request before it."""
    fitting = [
        ask
        for ask in asked
        if ask.tx == disclosure.tx
        and ask.of == disclosure.discloser
        and ask.asker in disclosure.receivers
        and comes_before(ask, disclosure) is not False
        and disclosure.answers in (LATEST_REQUEST, ask.id)
    ]
    exact = [ask for ask in fitting if ask.id == disclosure.answers]
    chosen = exact or sorted(fitting, key=order_of)
    return chosen[-1].id if chosen else None

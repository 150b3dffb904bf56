"""Why there is no total: which stage a round stands at, whom it waits for, or why it ended without one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from node.aggregation.following import rounds_on
from node.aggregation.rounds import DEALING, DONE, ENDED, JOINING, RELEASING, SENDING, Round, Rounds
from node.errors import CHECK_FAILED, PrivityError
from node.run_reading import RunReading

SCHEMA = "privity.why-round/1"
_DUE = {
    JOINING: "to register",
    DEALING: "to deal shares",
    SENDING: "to send a value",
    RELEASING: "to release shares",
}


@dataclass(frozen=True, slots=True)
class RoundDiagnosis:
    """Of one round that has no total: `name` is what the total would be called."""

    name: str
    round: Round
    told: tuple[str, str] | None  # Whose value a total would have given away, and to whom.

    @property
    def exit_code(self) -> int:
        return CHECK_FAILED

    @property
    def waits_for(self) -> tuple[str, ...]:
        """Those who have not done what the stage asks of them."""
        at = self.round
        due, done = {
            JOINING: (at.start.contributors, set(at.joined)),
            DEALING: (at.members, set(at.deals)),
            SENDING: (at.dealers, set(at.values)),
            RELEASING: (at.present, set(at.releases)),
        }.get(at.phase, ((), set[str]()))
        return tuple(name for name in due if name not in done)


def diagnose_round(reading: RunReading, text: str) -> RoundDiagnosis | None:
    """The diagnosis of a round without a total that this names: by its name, or with -round behind it."""
    name = text.removesuffix("-round")
    with suppress(PrivityError):
        found = reading.find(f"{name}-round")
        rounds = rounds_on(reading.highest())
        at = rounds.by_id.get(found.id)
        if at is not None and at.phase != DONE:
            return RoundDiagnosis(name, at, _told(rounds, at))
    return None


def _told(rounds: Rounds, at: Round) -> tuple[str, str] | None:
    return rounds.tells(at, at.values) if at.values and not at.present else None


def round_answer(diagnosis: RoundDiagnosis) -> str:
    """Why, in one sentence."""
    name, at = diagnosis.name, diagnosis.round
    if at.phase != ENDED:
        waits = ", ".join(diagnosis.waits_for) or at.coordinator
        return f"{name} has no total yet: it waits for {waits} {_DUE[at.phase]}."
    if diagnosis.told is not None:
        whose, whom = diagnosis.told
        knower = whom or at.coordinator
        return (
            f"{name} has no total: beside earlier totals of {at.start.field} it would have told {knower}"
            f" the value of {whose}. That it ended is CORRECT."
        )
    return f"{name} has no total: {at.ended}."


def round_lines(diagnosis: RoundDiagnosis) -> list[str]:
    """What `privity why` prints."""
    at = diagnosis.round
    lines = [round_answer(diagnosis), f"  need  {at.least} of {len(at.start.contributors)} contributors"]
    lines += [f"  away  {name}: {why}" for name, why in at.dropped().items()]
    lines += [f"  liar  {name}: {why}" for name, why in at.blamed.items()]
    if at.phase == ENDED:
        lines.append("  rule  a round gives one total or none; what was masked stays masked")
    lines.append(f"  next  privity show tx {diagnosis.name}-round")
    return lines


def round_diagnosis_document(diagnosis: RoundDiagnosis) -> dict[str, Any]:
    """The same as a document of schema `privity.why-round/1`."""
    at = diagnosis.round
    return {
        "schema": SCHEMA,
        "id": diagnosis.name,
        "phase": at.phase,
        "ended": at.ended or None,
        "answer": round_answer(diagnosis),
        "need": at.least,
        "waits_for": list(diagnosis.waits_for),
        "absent": at.dropped(),
        "blamed": dict(at.blamed),
        "would_give_away": None if diagnosis.told is None else diagnosis.told[0],
    }

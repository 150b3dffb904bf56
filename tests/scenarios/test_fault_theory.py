"""What is said beforehand of faults that are on together: whether the network goes on."""

from __future__ import annotations

import pytest

from scenarios.faults.record import FaultRecord
from scenarios.faults.theory import Prediction, predict

BANKS = [f"bank-{letter}" for letter in "abcdefg"]


def fault(kind: str, *letters: str, ended: bool = False, **more: object) -> FaultRecord:
    """A fault of these of seven banks, which has begun."""
    return FaultRecord(
        id=f"{kind}-{''.join(letters)}",
        kind=kind,
        nodes=tuple(f"bank-{letter}" for letter in letters),
        began_ms=1000,
        ended_ms=2000 if ended else None,
        **more,  # type: ignore[arg-type]
    )


def split(*groups: str) -> FaultRecord:
    """A partition into these groups."""
    sides = tuple(tuple(f"bank-{letter}" for letter in group) for group in groups)
    return fault("partition", *"".join(groups), groups=sides)


def of(*records: FaultRecord) -> Prediction:
    """What is said of these, while bank-a leads."""
    return predict(records, BANKS, "bank-a")


@pytest.mark.parametrize(
    ("records", "text"),
    [
        ([fault("crash", "b", "c")], "2 of 7 down: continues"),
        ([fault("crash", "b", "c", "d")], "3 of 7 down: stops, correctly"),
        ([fault("crash", "a")], "1 of 7 down: continues, after a view change: it is the primary"),
        ([fault("crash", "b"), fault("pause", "c")], "2 of 7 down: continues"),
        ([fault("crash", "b", "c"), fault("disconnect", "c", "d")], "3 of 7 down: stops, correctly"),
        ([fault("crash", "b", "c", ended=True), fault("crash", "d")], "1 of 7 down: continues"),
        ([split("abcde", "fg")], "2 of 7 missing: continues"),
        ([split("abcd", "efg")], "3 of 7 missing: stops, correctly"),
        ([split("abcde", "fg"), fault("crash", "b")], "3 of 7 missing: stops, correctly"),
        ([fault("silent", "b", "c", "d")], "3 of 7 down: stops, correctly"),
        ([fault("silent", "b", "c", "d", to=("bank-e",))], "0 of 7 down: continues"),
        ([fault("equivocate", "b", counts=True)], "1 of 7 may lie: continues"),
        ([fault("equivocate", "b", "c", counts=True)], "2 of 7 may lie: continues"),
        (
            [fault("equivocate", "b", "c", "d", counts=True, ended=True)],
            "3 of 7 may lie: more than 2 liars, nothing is promised",
        ),
        ([fault("broker-outage")], "no broker, so no voter hears another: stops, correctly"),
        ([], "0 of 7 down: continues"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_theory(records: list[FaultRecord], text: str) -> None:
    """Seven tolerate two: who is away counts once and while it is, who lies counts for good."""
    assert of(*records).text == text


def test_without_a_broker_nothing_goes_on() -> None:
    """Also what a program reads says so, though no voter is down."""
    prediction = of(fault("broker-outage"))
    assert (prediction.goes_on, prediction.away) == (False, 0)

"""What `privity why` judges from what is known, where a moment of a real network is hard to catch."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.errors import CHECK_FAILED, FINE
from scenarios.why import diagnosis as states
from scenarios.why.diagnosis import diagnose
from scenarios.why.known import Ended
from tests.scenarios.test_why_words import seven_banks


def test_enough_that_ask_for_another_view_are_a_view_change_at_once() -> None:
    """One more than may be faulty is one honest voter: nobody has to wait for a timeout to say so."""
    known = seven_banks("")
    nodes = tuple(
        replace(node, asked=4 if node.name in ("bank-e", "bank-f", "bank-g") else 0) for node in known.nodes
    )
    fresh = replace(known.submitted[0], at_ms=known.now_ms - 100)
    assert diagnose(replace(known, nodes=nodes, submitted=(fresh,))).state == states.CHANGING


def test_a_sender_whose_later_ones_are_ordered_is_not_censored() -> None:
    """One lost message of a sender who is heard is no censoring."""
    known = seven_banks("")
    known = replace(known, nodes=tuple(replace(node, asked=0) for node in known.nodes))
    later = tuple(
        replace(known.submitted[0], id=f"later-{height}", at_ms=41_000 + height, height=height)
        for height in (84, 85, 86)
    )
    assert diagnose(replace(known, submitted=known.submitted + later)).left_out == ()
    others = tuple(replace(each, sender="bank-b") for each in later)
    assert diagnose(replace(known, submitted=known.submitted + others)).left_out == known.submitted


def test_no_broker_and_no_fault_that_explains_it() -> None:
    """It is the broker, and no node is blamed for what nobody could ask."""
    known = seven_banks("")
    nodes = tuple(replace(node, answered=False, last_ms=46_000) for node in known.nodes)
    diagnosis = diagnose(replace(known, nodes=nodes, broker_answers=False))
    assert (diagnosis.state, diagnosis.missing, diagnosis.heals) == (states.BROKER, (), ())
    assert diagnosis.correct is True and diagnosis.exit_code == CHECK_FAILED


@pytest.mark.parametrize(
    ("killed", "submitted", "code"),
    [(False, False, FINE), (True, False, CHECK_FAILED), (False, True, CHECK_FAILED)],
    ids=["in-order", "killed", "left-waiting"],
)
def test_how_a_run_may_have_ended(killed: bool, submitted: bool, code: int) -> None:
    """Well is one that ended in order and left nothing waiting, whatever nobody judged."""
    known = seven_banks("")
    known = replace(known, nodes=tuple(replace(node, asked=0) for node in known.nodes))
    ended = Ended(at_ms=46_000, verdict=None, held=0, expected=0, killed=killed)
    waiting = known.submitted if submitted else ()
    assert diagnose(replace(known, ended=ended, submitted=waiting)).exit_code == code

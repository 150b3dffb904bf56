"""The drawn plan: which transactions a load sends, and that file and seed alone decide it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.model.loading import load_scenario, parse_scenario
from scenarios.model.payloads import encoded_size
from scenarios.model.plan import PlannedSend, plan
from scenarios.model.scenario import Scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"
HEAD = "privity: 1\nparties: {alice: , bob: , carol: , dave: {votes: false}}\n"
PRINT_PLAN = """
import hashlib, json, sys
from pathlib import Path
from scenarios.model.loading import load_scenario
from scenarios.model.plan import plan
sends = [[s.id, s.at_ms, s.sender, s.readers, dict(s.fields)] for s in plan(load_scenario(Path(sys.argv[1])))]
print(len(sends), hashlib.sha256(json.dumps(sends).encode()).hexdigest())
"""


def scenario_of(*steps: str, seed: int = 7) -> Scenario:
    """A scenario of four parties with these steps."""
    return parse_scenario(
        f"{HEAD}seed: {seed}\nsteps:\n" + "".join(f"  - {step}\n" for step in steps), "t.yaml"
    )


def plan_of(*steps: str, seed: int = 7) -> tuple[PlannedSend, ...]:
    """What these steps send."""
    return plan(scenario_of(*steps, seed=seed))


def test_a_plan_does_not_depend_on_hash_order() -> None:
    """Three processes with different hash seeds draw the same plan, down to the filler."""
    printed = set()
    for hash_seed in ("0", "1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", PRINT_PLAN, str(SCENARIOS / "seven-banks.yaml")],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=SCENARIOS.parent,
            capture_output=True,
            text=True,
            check=True,
        )
        printed.add(done.stdout)
    assert len(printed) == 1
    assert printed.pop().startswith("503 ")


def test_another_seed_draws_another_plan() -> None:
    """The seed decides senders, readers and values."""
    load = '{do: load, as: "*", to: random, count: 20, data: {amount: "1..1000"}}'
    assert plan_of(load, seed=1) == plan_of(load, seed=1)
    assert plan_of(load, seed=1) != plan_of(load, seed=2)


def test_each_load_draws_from_a_stream_of_its_own() -> None:
    """A step that is added before a load does not change what the load draws."""
    load = '{at: 1s, do: load, id: traffic, as: "*", to: random, count: 20, data: {amount: "1..1000"}}'
    other = '{at: 0s, do: load, id: other, as: "*", to: random, count: 5}'
    alone, beside = plan_of(load), plan_of(other, load)
    assert alone == tuple(send for send in beside if send.id.startswith("traffic-"))


def test_transactions_go_in_the_order_of_time() -> None:
    """The plan is ordered by time, and at one moment by place in the file."""
    sends = plan_of(
        "{at: 2s, do: send, id: late, as: alice, to: [bob], data: {a: 1}}",
        "{at: 1s, do: load, id: many, as: alice, to: [bob], count: 3, rate: 1/s}",
        "{at: 2s, do: send, id: last, as: bob, to: [alice], data: {a: 1}}",
    )
    assert [(send.id, send.at_ms) for send in sends] == [
        ("many-0001", 1000),
        ("late", 2000),
        ("many-0002", 2000),
        ("last", 2000),
        ("many-0003", 3000),
    ]


@pytest.mark.parametrize(
    ("timing", "count", "last_ms"),
    [
        ("rate: 4/s, for: 55s", 220, 54_750),
        ("rate: 90/m, for: 2s", 3, 1_333),
        ("count: 5", 5, 400),
        ("count: 5, rate: 2/s", 5, 2_000),
        ("count: 5, for: 1s", 5, 800),
        ("count: 5, for: 0s", 5, 0),
    ],
)
def test_rate_count_and_duration_set_the_pace(timing: str, count: int, last_ms: int) -> None:
    """rate with for gives the number, count with for the pace; a count alone goes at 10/s."""
    sends = plan_of(f"{{do: load, as: alice, to: [bob], {timing}}}")
    assert (count, 0, last_ms) == (len(sends), sends[0].at_ms, sends[-1].at_ms)
    assert f"load-1-{count:04}" == sends[-1].id


def test_random_means_one_other_party() -> None:
    """`to: random` draws one reader among all others, never the sender."""
    sends = plan_of('{do: load, as: "*", to: random, count: 400}')
    assert {1} == {len(send.readers) for send in sends}
    drawn = Counter((send.sender, *send.readers) for send in sends)
    assert len(drawn) == 12  # Each of 4 senders with each of 3 others.


def test_a_range_draws_how_many_read() -> None:
    """`{random: 1..3}` draws from one to three readers, all different and in the order of the file."""
    sends = plan_of('{do: load, as: "*", to: {random: 1..3}, count: 300}')
    assert {1, 2, 3} == {len(send.readers) for send in sends}
    names = ("alice", "bob", "carol", "dave")
    for send in sends:
        assert send.readers == tuple(name for name in names if name in send.readers and name != send.sender)


def test_readers_can_be_drawn_among_some() -> None:
    """`among` leaves the others out."""
    sends = plan_of("{do: load, as: alice, to: {random: 2, among: [bob, carol]}, count: 20}")
    assert {("bob", "carol")} == {send.readers for send in sends}


def test_a_list_of_readers_is_the_same_for_all() -> None:
    """A list draws nothing, and leaves out the sender."""
    sends = plan_of('{do: load, as: [alice, bob], to: [alice, "d*"], count: 50}')
    assert {("alice", ("dave",)), ("bob", ("alice", "dave"))} == {
        (send.sender, send.readers) for send in sends
    }


def test_ranges_in_the_payload_are_drawn() -> None:
    """Text like "-2..2" becomes a whole number within it, also inside maps and lists; other text stays."""
    sends = plan_of(
        '{do: load, as: alice, to: [bob], count: 200, data: {a: "-2..2", b: [{c: "7..8"}], d: EUR}}'
    )
    assert {-2, -1, 0, 1, 2} == {send.fields["a"] for send in sends}
    assert {7, 8} == {send.fields["b"][0]["c"] for send in sends}
    assert {"EUR"} == {send.fields["d"] for send in sends}


def test_a_send_draws_nothing() -> None:
    """In a send, "1..9" is text like any other."""
    (send,) = plan_of('{do: send, as: alice, to: [bob], data: {amount: "1..9"}}')
    assert send.fields == {"amount": "1..9"}


@settings(deadline=None, max_examples=60)
@given(size=st.integers(0, 60_000), digits=st.integers(1, 15))
def test_filler_makes_a_payload_as_large_as_asked(size: int, digits: int) -> None:
    """With `size`, the encoded fields are that long, one or two bytes less, or what they were anyway."""
    step = (
        f'{{do: load, as: alice, to: [bob], count: 1, size: {size}B, data: {{amount: "1..{"9" * digits}"}}}}'
    )
    (send,) = plan_of(step)
    bare = encoded_size({"amount": send.fields["amount"]})
    if "filler" in send.fields:
        assert size - 2 <= encoded_size(dict(send.fields)) <= size
    else:
        assert size <= bare + len("filler") + 2


def test_fillers_differ() -> None:
    """No two payloads of a load have the same filler."""
    sends = plan_of("{do: load, as: alice, to: [bob], count: 100, size: 100B}")
    assert len({send.fields["filler"] for send in sends}) == 100


def test_the_seed_can_be_replaced() -> None:
    """A scenario with another seed is drawn anew, as `--seed` asks for."""
    scenario = load_scenario(SCENARIOS / "seven-banks.yaml")
    assert plan(scenario) != plan(replace(scenario, seed=scenario.seed + 1))


def test_a_planned_send_does_not_show_its_payload() -> None:
    """The repr of a planned send is fit for a log."""
    (send,) = plan_of("{do: send, as: alice, to: [bob], data: {note: zzcanaryzz}}")
    assert "zzcanaryzz" not in repr(send) and "alice" in repr(send)


def test_a_burst_goes_at_once_and_keeps_the_rate() -> None:
    """Five at a time at ten a second: a burst each half second."""
    times = [
        send.at_ms
        for send in plan_of('{do: load, as: "*", to: random, at: 1s, count: 12, rate: 10/s, burst: 5}')
    ]
    assert times == [1000] * 5 + [1500] * 5 + [2000] * 2


def test_poisson_pauses_have_the_mean_of_the_rate_and_no_regularity() -> None:
    """A thousand at a hundred a second take about ten seconds, some close together, some far apart."""
    sends = plan_of('{do: load, as: "*", to: random, count: 1000, rate: 100/s, distribution: poisson}')
    times = [send.at_ms for send in sends]
    assert times == sorted(times) and times[0] == 0
    assert 8_500 < times[-1] < 11_500
    pauses = Counter(later - earlier for earlier, later in itertools.pairwise(times))
    assert pauses[0] > 20 and max(pauses) > 40


def test_when_a_load_goes_changes_nothing_of_what_it_sends() -> None:
    """Pauses have a stream of draws of their own."""
    step = '{do: load, id: traffic, as: "*", to: {random: 1..2}, count: 20, data: {amount: "1..1000"}'
    even, poisson = (plan_of(step + more + "}") for more in ("", ", distribution: poisson, burst: 2"))
    assert [(s.sender, s.readers, s.fields) for s in even] == [
        (s.sender, s.readers, s.fields) for s in poisson
    ]
    assert [s.at_ms for s in even] != [s.at_ms for s in poisson]

"""The one queue of a virtual world."""

from __future__ import annotations

from random import Random

from scenarios.virtual.agenda import Agenda


def test_what_is_due_earlier_comes_first_and_ties_keep_their_order() -> None:
    agenda, random, done = Agenda(), Random(1), list[int]()
    times = [random.randrange(20) for _ in range(500)]
    for number, when in enumerate(times):
        agenda.at(when, lambda number=number: done.append(number))  # type: ignore[misc]
    popped = []
    while agenda:
        assert agenda.next_us == agenda.heap[0][0]
        when, _, action = agenda.pop()
        popped.append(when)
        action()
    assert list(zip(popped, done, strict=True)) == sorted((when, number) for number, when in enumerate(times))
    assert agenda.next_us is None

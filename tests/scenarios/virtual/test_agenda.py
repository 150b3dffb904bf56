"""The one queue of a virtual world."""

from __future__ import annotations

from random import Random

from scenarios.virtual.agenda import Agenda


def test_what_is_due_earlier_comes_first_and_ties_keep_their_order() -> None:
    agenda, random = Agenda(), Random(1)
    times = [random.randrange(20) for _ in range(500)]
    for number, when in enumerate(times):
        agenda.deliver(when, number, b"x")
    popped = [agenda.pop() for _ in range(len(agenda))]
    assert [(when, subject) for when, _, subject, _ in popped] == sorted(
        (when, number) for number, when in enumerate(times)
    )
    assert len(agenda) == 0


def test_subjects_and_data_are_never_compared() -> None:
    agenda = Agenda()
    for subject in ({"b": 1}, {"a": 1}, object(), None):
        agenda.deliver(5, subject, b"same")
    agenda.at(5, lambda: None)
    agenda.at(5, lambda: None)
    subjects = [agenda.pop()[2] for _ in range(6)]
    assert subjects[:2] == [{"b": 1}, {"a": 1}] and subjects[3] is None


def test_an_action_has_no_data_and_a_delivery_has() -> None:
    agenda, done = Agenda(), []
    agenda.at(2, lambda: done.append("action"))
    agenda.deliver(1, "somebody", b"")
    assert agenda.pop()[2:] == ("somebody", b"")
    _, _, action, data = agenda.pop()
    assert data is None
    action()
    assert done == ["action"]

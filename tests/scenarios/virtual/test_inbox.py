"""What is under way to one place, and who is woken for it."""

from __future__ import annotations

from random import Random

from scenarios.virtual.inbox import NEVER, Inbox

MANY = 1 << 30


def test_packets_are_taken_in_order_of_arrival_and_ties_in_order_of_sending() -> None:
    """However they were put there, and nothing before its time."""
    inbox, random = Inbox(lambda at_us: None), Random(1)
    sent = [(random.randrange(50), b"%d" % number) for number in range(400)]
    for when, data in sent:
        inbox.put(when, data)
    taken = [data for now in range(0, 50, 7) for data in inbox.take(now, MANY)]
    assert taken == [data for when, data in sorted(sent, key=lambda arrival: arrival[0]) if when <= 49]
    assert inbox.next_us == NEVER


def test_what_is_too_much_for_once_comes_first_the_next_time() -> None:
    """Also before what has arrived since."""
    inbox = Inbox(lambda at_us: None)
    for number in range(5):
        inbox.put(number, b"%d" % number)
    assert inbox.take(4, 2) == [b"0", b"1"]
    assert inbox.next_us == 0
    inbox.put(6, b"later")
    assert inbox.take(6, 3) == [b"2", b"3", b"4"]
    assert inbox.take(6, 3) == [b"later"]


def test_only_what_comes_early_enough_wakes() -> None:
    """A place that computes until a time is not told of what arrives before it is done."""
    woken: list[int] = []
    inbox = Inbox(woken.append)
    inbox.put(30, b"first")
    inbox.wake_below_us = 30
    inbox.put(40, b"later")
    inbox.put(20, b"earlier")
    inbox.wake_below_us = 0
    inbox.put(1, b"while it computes")
    assert woken == [30, 20]
    assert inbox.next_us == 1


def test_what_arrived_where_nobody_listens_is_gone_and_the_rest_is_not() -> None:
    """What is still under way arrives in its time."""
    inbox = Inbox(lambda at_us: None)
    inbox.put(10, b"a")
    inbox.put(20, b"b")
    inbox.put(11, b"c")
    assert inbox.drop(15) == 2
    assert inbox.next_us == 20
    assert inbox.take(20, MANY) == [b"b"]

"""A mistake, and how it is made."""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """Text of one file, which must stand there exactly once, and what takes its place."""

    file: str
    old: str
    new: str


class Mutant(NamedTuple):
    """A mistake: the rule that it breaks, how it is made, and the directed test that reports it.

    Most have no such test: the campaign finds them. Where the network and its clients make up for a mistake,
    or no world of the campaign can show it, the test is named here.
    """

    name: str
    rule: str
    changes: tuple[Change, ...]
    directed: str = ""


ORDERING, VIEWS, NEW_VIEW = "consensus/ordering.py", "consensus/view_change.py", "consensus/new_view.py"
SLOT, STATE, TIMERS = "consensus/slot.py", "consensus/state.py", "consensus/timers.py"
TALLYING = "consensus/tallying.py"
CHECKPOINTS, LEDGER = "consensus/checkpoints.py", "node/chain/ledger.py"
BARE_HOST = "scenarios/virtual/bare_host.py"

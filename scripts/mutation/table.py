"""Known mistakes of PBFT cores, most of them bugs of real ones, as replacements in our own source."""

from __future__ import annotations

from ordering_mistakes import ORDERING_MISTAKES
from view_mistakes import VIEW_MISTAKES

MUTANTS = (*ORDERING_MISTAKES, *VIEW_MISTAKES)
QUICK = (
    "quorum less one",
    "prepared certificates left out",
    "sent before it is durable",
    "executed when prepared",
)

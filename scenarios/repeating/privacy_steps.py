"""The roles of drawn private business, and the steps at which each is crashed: before, in and after its acts.

Times are milliseconds: a crash begins at some moment of its span.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

Span = tuple[int, int]

DEAL_MS, ASKED_MS, SHOWN_MS, PURGED_MS = 1500, 2800, 3500, 5500
BID_MS, OPENS, OPEN_MS, TOTAL_MS = 1700, "6s", 6300, 4500


def _from(start_ms: int, spans: Mapping[str, Span]) -> dict[str, Span]:
    return {step: (start_ms + low, start_ms + high) for step, (low, high) in spans.items()}


DEAL = _from(
    DEAL_MS,
    {
        "before": (-400, -50),
        "handing in": (0, 4),
        "ordering": (5, 60),
        "executing": (61, 160),
        "opened": (161, 600),
        "showing": (1995, 2060),
    },
)
DISCLOSURE = {
    "before asking": (ASKED_MS - 300, ASKED_MS - 20),
    "asking": (ASKED_MS, ASKED_MS + 60),
    "before showing": (SHOWN_MS - 300, SHOWN_MS - 20),
    "being shown": (SHOWN_MS, SHOWN_MS + 160),
    "shown": (SHOWN_MS + 161, SHOWN_MS + 600),
}
# Receipts are gathered for half a second after the erasing.
PURGE = _from(
    PURGED_MS,
    {
        "before purge": (-300, -20),
        "purging": (0, 60),
        "erasing": (61, 200),
        "signing": (480, 720),
        "receipted": (721, 1200),
    },
)
SEAL = {
    "bid": (1690, 1800),
    "before opening": (5900, 6240),
    "opening": (6250, 6380),
    "releasing": (6381, 6700),
    "unsealed": (6701, 7100),
}
TOTAL = {
    "before the total": (4100, 4480),
    "registering": (4490, 4600),
    "dealing": (4601, 4800),
    "summing": (4801, 5200),
    "summed": (5201, 5500),
}
# Whoever is primary is struck in each protocol, by the steps that need an order.
PRIMARY = {
    "asking": DISCLOSURE["asking"],
    "purging": PURGE["purging"],
    "signing": PURGE["signing"],
    "opening": SEAL["opening"],
    "releasing": SEAL["releasing"],
    "registering": TOTAL["registering"],
    "dealing": TOTAL["dealing"],
    "summing": TOTAL["summing"],
}
_STEPS: dict[str, dict[str, Span]] = {
    "sender": DEAL,
    "reader": DEAL,
    "non-party": DEAL,
    "primary": DEAL | PRIMARY,
    "auditor": DISCLOSURE,  # To whom the deal is shown, as it asked for.
    "owner": PURGE,  # Who sent what is purged, and is owed the receipts.
    "eraser": PURGE,  # One of those who owe them.
    "opener": SEAL,
    "coordinator": TOTAL,
    "contributor": TOTAL,
}
ALL_STEPS = {(role, step): span for role, steps in _STEPS.items() for step, span in steps.items()}
CASES = list(ALL_STEPS)


def _cases(*roles: str, primary: Collection[str]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (role, step) for role, step in CASES if role in roles or (role == "primary" and step in primary)
    )


# What the business must have in it, for a crash at a step to be about it.
SEALING = _cases("opener", primary=("opening", "releasing"))
SUMMING = _cases("coordinator", "contributor", primary=("registering", "dealing", "summing"))
ASKING = _cases("auditor", primary=("asking",))
SHOWING = ASKING | {(role, step) for role, step in CASES if step == "showing"}
ERASING = _cases("owner", "eraser", primary=("purging", "signing"))

"""How many replicas are enough: every size of a quorum comes from here (R3).

For n replicas at most f = (n - 1) // 3 may be faulty (PBFT 1, OSDI 1999). A quorum is
(n + f) // 2 + 1, the smallest number such that any two quorums share more than f replicas and
hence a correct one. That is 2f + 1 only when n = 3f + 1; for other n, 2f + 1 is unsafe (n = 5:
two sets of three meet in one replica, which may be the faulty one).
"""

from __future__ import annotations


def max_faulty(n: int) -> int:
    """The number of faulty replicas, f, that n replicas tolerate."""
    return (n - 1) // 3


def quorum(n: int) -> int:
    """Any two sets of this size share a correct replica, and the correct ones alone can form one."""
    return (n + max_faulty(n)) // 2 + 1


def weak_quorum(n: int) -> int:
    """Any set of this size holds a correct replica."""
    return max_faulty(n) + 1


def prepares_needed(n: int) -> int:
    """Prepares of distinct backups that, with the pre-prepare, make a prepared certificate (R6)."""
    return quorum(n) - 1

"""What a new view begins with: a pure function of the view-changes that its primary shows (PBFT 4.4, R16).

The primary builds its new-view with it, and everybody else, the primary included, checks the message with it
before anything is done because of it (R17).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from consensus.certificates import BlockCertificate, PreparedCertificate
from consensus.messages import NewView, ViewChange
from consensus.quorum import quorum
from consensus.votes import PrePrepare, null_batch


def highest_stable(changes: Sequence[ViewChange]) -> BlockCertificate | None:
    """The certificate of the highest stable checkpoint that any of them proves; None for number 0."""
    best: BlockCertificate | None = None
    for change in changes:
        if change.stable is not None and (best is None or change.stable.sequence > best.sequence):
            best = change.stable
    return best


def renewed(changes: Sequence[ViewChange]) -> list[tuple[int, bytes]]:
    """Each sequence number that the new view must propose again, ascending, with its digest.

    Above the highest stable checkpoint, up to the highest prepared certificate: the digest of the certificate
    of the highest view, or the null request where there is none.
    """
    stable = highest_stable(changes)
    low = 0 if stable is None else stable.sequence
    chosen: dict[int, PreparedCertificate] = {}
    for change in changes:
        for certificate in change.prepared:
            best = chosen.get(certificate.sequence)
            if certificate.sequence > low and (best is None or certificate.view > best.view):
                chosen[certificate.sequence] = certificate
    top = max(chosen, default=low)
    return [
        (sequence, chosen[sequence].digest if sequence in chosen else null_batch(sequence).digest())
        for sequence in range(low + 1, top + 1)
    ]


def invalid_new_view(message: NewView, n: int, window: int) -> str | None:
    """Why this is no new-view among n voters, apart from signatures; or None (R17)."""
    if message.replica != message.view % n:
        return "not from the view's primary"
    changes = [change for change, _ in message.view_changes]
    if len(changes) < quorum(n):
        return "too few view-changes"
    if any(later.replica <= earlier.replica for earlier, later in itertools.pairwise(changes)):
        return "view-changes not in ascending order"
    for change in changes:
        if (change.epoch, change.view) != (message.epoch, message.view):
            return "view-change for another view"
        if reason := change.invalid(n, window):
            return reason
    proposals = [
        PrePrepare(message.epoch, message.view, sequence, digest, message.replica)
        for sequence, digest in renewed(changes)
    ]
    if [entry for entry, _ in message.pre_prepares] != proposals:
        return "pre-prepares do not follow from the view-changes"
    return None

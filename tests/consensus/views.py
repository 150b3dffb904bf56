"""View-changes and new-views made by hand, with the certificates that they carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from consensus.certificates import BlockCertificate, PreparedCertificate
from consensus.messages import NewView, Signed, ViewChange
from consensus.new_view import renewed
from consensus.votes import Batch, Prepare, PrePrepare
from tests.consensus.wire import signature_of, signed


def prepared(
    batch: Batch, *, view: int = 0, voters: Iterable[int] | None = None, n: int = 4, epoch: int = 0
) -> PreparedCertificate:
    """The certificate that a batch was prepared in a view, by its primary and these backups."""
    primary = view % n
    backups = [i for i in range(n) if i != primary][:2] if voters is None else list(voters)
    digest, sequence = batch.digest(), batch.sequence
    proposal = PrePrepare(epoch, view, sequence, digest, primary)
    votes = [(i, signature_of(i, Prepare(epoch, view, sequence, digest, i))) for i in backups]
    return PreparedCertificate(
        epoch, view, sequence, digest, primary, signature_of(primary, proposal), tuple(votes)
    )


def view_change(
    replica: int,
    view: int,
    *certificates: PreparedCertificate,
    stable: BlockCertificate | None = None,
    epoch: int = 0,
) -> ViewChange:
    """A replica's vote for a view, with what binds it."""
    return ViewChange(epoch, view, stable, certificates, replica)


def new_view(
    view: int,
    changes: Sequence[ViewChange],
    entries: Sequence[tuple[int, bytes]] | None = None,
    *,
    replica: int | None = None,
    n: int = 4,
) -> Signed:
    """A new-view from these view-changes; `entries` in place of what follows from them."""
    primary = view % n if replica is None else replica
    proposals = [
        PrePrepare(0, view, sequence, digest, primary)
        for sequence, digest in (renewed(changes) if entries is None else entries)
    ]
    return signed(
        NewView(
            0,
            view,
            tuple((change, signature_of(change.replica, change)) for change in changes),
            tuple((proposal, signature_of(primary, proposal)) for proposal in proposals),
            primary,
        )
    )

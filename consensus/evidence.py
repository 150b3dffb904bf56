"""Evidence: signed messages that no correct replica can have sent (R30).

A piece of evidence is self-contained: whoever has the members' keys can check it offline with `proves`,
and it never names a correct replica. What is compared are the signed contents, never signatures, because a
replica may sign the same content twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from consensus.certificates import BlockCertificate, PreparedCertificate
from consensus.messages import NewView, ReplicaMessage, Signed, ViewChange
from consensus.new_view import invalid_new_view
from consensus.votes import Commit, Counter, Message, Prepare, PrePrepare, ReplicaId

Kind = Literal["E1", "E2", "E3", "E4"]
Check = Callable[[ReplicaMessage, bytes], bool]


class Evidence(Message, frozen=True):
    """A proof that one replica is faulty.

    E1: two contents of one type for one (epoch, view, sequence), or for one view. E2: a commit and a later
    view-change that hides it. E3: a view-change or new-view that no correct replica signs. E4: a prepare
    by the primary. `first` and `second` are the messages of the accused; E3 and E4 need one only.
    """

    kind: Kind
    accused: ReplicaId
    view: Counter
    sequence: Counter
    first: Signed
    second: Signed | None


def proves(evidence: Evidence, n: int, window: int, check: Check) -> bool:
    """Whether this evidence holds, given a `check` for the signature of any member's message."""
    first, second = evidence.first, evidence.second
    messages = [signed.message for signed in (first, second) if signed is not None]
    if any(message.replica != evidence.accused for message in messages) or evidence.accused >= n:
        return False
    if not all(check(signed.message, signed.signature) for signed in (first, second) if signed is not None):
        return False
    if evidence.kind == "E1":
        return second is not None and contradict(first.message, second.message)
    if evidence.kind == "E2":
        return (
            second is not None
            and isinstance(first.message, Commit)
            and isinstance(second.message, ViewChange)
            and hides(second.message, first.message)
        )
    if evidence.kind == "E3":
        return _is_invalid(first.message, n, window, check)
    return isinstance(first.message, Prepare) and first.message.replica == first.message.view % n


def contradict(first: ReplicaMessage, second: ReplicaMessage) -> bool:
    """Whether no correct replica signs both (E1). Block votes are left out: those may differ by a bug."""
    if type(first) is not type(second) or first == second or first.epoch != second.epoch:
        return False
    if isinstance(first, PrePrepare | Prepare | Commit):
        assert isinstance(second, PrePrepare | Prepare | Commit)
        return (first.view, first.sequence) == (second.view, second.sequence)
    if isinstance(first, ViewChange | NewView):
        assert isinstance(second, ViewChange | NewView)
        return first.view == second.view
    return False


def hides(change: ViewChange, commit: Commit) -> bool:
    """Whether a view-change leaves out what its sender must have been prepared for to commit (E2)."""
    if change.epoch != commit.epoch or change.view <= commit.view or change.low_watermark >= commit.sequence:
        return False
    return not any(
        certificate.sequence == commit.sequence and certificate.view >= commit.view
        for certificate in change.prepared
    )


def _is_invalid(message: ReplicaMessage, n: int, window: int, check: Check) -> bool:
    if isinstance(message, ViewChange):
        return message.invalid(n, window) is not None or not nested_signatures_hold(message, check)
    if isinstance(message, NewView):
        return invalid_new_view(message, n, window) is not None or not nested_signatures_hold(message, check)
    return False


def nested_signatures_hold(message: ViewChange | NewView, check: Check) -> bool:
    """Whether everybody quoted inside really signed what is quoted, at any depth (R14)."""
    if isinstance(message, ViewChange):
        certificates: list[BlockCertificate | PreparedCertificate] = list(message.prepared)
        if message.stable is not None:
            certificates.append(message.stable)
        return all(check(vote, signature) for each in certificates for vote, signature in each.votes())
    for change, signature in message.view_changes:
        if not check(change, signature) or not nested_signatures_hold(change, check):
            return False
    return all(check(entry, signature) for entry, signature in message.pre_prepares)

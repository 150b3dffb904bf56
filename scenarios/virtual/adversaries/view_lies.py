"""View-changes and new-views that no correct replica signs, of each kind in PBFT.md (R14, R16, R17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from consensus.certificates import BlockCertificate
from consensus.messages import NewView, Signed, ViewChange
from consensus.votes import PrePrepare, null_batch
from scenarios.virtual.adversaries.liar import Behaviour, Lies, Packet, other_digest

replace = msgspec.structs.replace


class InvalidViewChange(Behaviour):
    """Asks for views with proofs that prove nothing, or hides what it committed to (E2, E3)."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        message = packet.message if isinstance(packet, Signed) else None
        if not isinstance(message, ViewChange):
            return [(packet, to)]
        kinds = [self._unproven_low, self._nothing]
        if message.prepared:
            kinds += [self._drop, self._bad_signature, self._too_few, self._late_view, self._twice, self._far]
        kind = self.random.choice(kinds)
        self.lies(kind.__name__.strip("_"))
        return [(self.signed(kind(message)), to)]

    def _unproven_low(self, message: ViewChange) -> ViewChange:
        return replace(message, stable=BlockCertificate(message.epoch, 7, bytes(32), ()), prepared=())

    def _nothing(self, message: ViewChange) -> ViewChange:
        return replace(message, stable=None, prepared=())

    def _drop(self, message: ViewChange) -> ViewChange:
        return replace(message, prepared=message.prepared[:-1])

    def _bad_signature(self, message: ViewChange) -> ViewChange:
        first = message.prepared[0]
        return replace(message, prepared=(replace(first, pre_prepare=bytes(64)), *message.prepared[1:]))

    def _too_few(self, message: ViewChange) -> ViewChange:
        first = message.prepared[0]
        return replace(
            message, prepared=(replace(first, prepares=first.prepares[:-1]), *message.prepared[1:])
        )

    def _late_view(self, message: ViewChange) -> ViewChange:
        first = message.prepared[0]
        return replace(message, prepared=(replace(first, view=message.view), *message.prepared[1:]))

    def _twice(self, message: ViewChange) -> ViewChange:
        return replace(message, prepared=(message.prepared[0], *message.prepared))

    def _far(self, message: ViewChange) -> ViewChange:
        last = message.prepared[-1]
        return replace(message, prepared=(*message.prepared[:-1], replace(last, sequence=2**40)))


class InvalidNewView(Behaviour):
    """As primary begins views that do not follow from what it shows; else begins others' views."""

    def says(self, packet: Packet, to: int | None) -> Lies:
        if not isinstance(packet, Signed):
            yield packet, to
            return
        message = packet.message
        if isinstance(message, ViewChange):
            # Also a new-view by who is not the primary, with too little to show for it.
            yield packet, to
            self.lies("of another primary")
            shown = ((message, packet.signature),)
            yield self.signed(NewView(message.epoch, message.view, shown, (), message.replica)), None
            return
        if not isinstance(message, NewView) or message.replica != self.host.replica_id:
            yield packet, to
            return
        kinds: list[Callable[[NewView], NewView]] = [
            self._too_few,
            self._one_twice,
            self._forged_change,
            self._unproven_change,
            self._extra,
            self._another_view,
        ]
        if message.pre_prepares:
            kinds += [self._missing, self._null, self._swapped]
        kind = self.random.choice(kinds)
        self.lies(kind.__name__.strip("_"))
        lie = self.signed(kind(message))
        if self.random.random() < 0.5:
            yield lie, to
        else:
            yield from self.told_apart(packet, lie)

    def _entry(self, message: NewView, sequence: int, digest: bytes) -> tuple[PrePrepare, bytes]:
        entry = PrePrepare(message.epoch, message.view, sequence, digest, message.replica)
        return entry, self.host.sign(entry)

    def _too_few(self, message: NewView) -> NewView:
        return replace(message, view_changes=message.view_changes[:-1])

    def _one_twice(self, message: NewView) -> NewView:
        first, *rest = message.view_changes
        return replace(message, view_changes=(first, first, *rest[1:]))

    def _forged_change(self, message: NewView) -> NewView:
        (change, _), *rest = message.view_changes
        return replace(message, view_changes=((change, bytes(64)), *rest))

    def _unproven_change(self, message: NewView) -> NewView:
        """Its own view-change is signed rightly, and proves nothing."""
        stable = BlockCertificate(message.epoch, 7, bytes(32), ())
        changes = [
            (lie := replace(change, stable=stable, prepared=()), self.host.sign(lie))
            if change.replica == message.replica
            else (change, signature)
            for change, signature in message.view_changes
        ]
        return replace(message, view_changes=tuple(changes))

    def _another_view(self, message: NewView) -> NewView:
        return replace(message, view=message.view + len(self.host.members))

    def _extra(self, message: NewView) -> NewView:
        last: Any = message.pre_prepares[-1][0].sequence if message.pre_prepares else 500
        extra = self._entry(message, last + 1, other_digest(bytes(32)))
        return replace(message, pre_prepares=(*message.pre_prepares, extra))

    def _missing(self, message: NewView) -> NewView:
        return replace(message, pre_prepares=message.pre_prepares[:-1])

    def _null(self, message: NewView) -> NewView:
        first = message.pre_prepares[0][0].sequence
        entry = self._entry(message, first, null_batch(first).digest())
        return replace(message, pre_prepares=(entry, *message.pre_prepares[1:]))

    def _swapped(self, message: NewView) -> NewView:
        first = message.pre_prepares[0][0]
        entry = self._entry(message, first.sequence, other_digest(first.digest))
        return replace(message, pre_prepares=(entry, *message.pre_prepares[1:]))

"""Which dummies stand beside the readers' slots is no choice of the sender's (P06)."""

from __future__ import annotations

import pytest

from node.envelopes.content_key import ContentKey
from node.envelopes.key_slots import find_readers, make_slots, slot_of
from node.envelopes.wrapping import WrappingKey, WrappingPublicKey
from tests.node.small_consortium import seeded

KEY, DIGEST = ContentKey(b"\7" * 32), b"\1" * 32
MEMBERS = [WrappingKey.generate(seeded(f"member {number}")).public for number in range(6)]


def slots_with(readers: list[WrappingPublicKey], numbers: list[int]) -> tuple[bytes, ...]:
    """Slots in their order, with the dummies of these numbers."""
    wraps = [(reader, b"") for reader in readers]
    for number in numbers:
        private, value = KEY.dummy(DIGEST, number)
        wraps.append((WrappingKey.from_secret(private).public, value))
    wraps.sort(key=lambda each: KEY.place(DIGEST, each[0].raw))
    slots = []
    for index, (public, value) in enumerate(wraps):
        ephemeral = KEY.ephemeral(DIGEST, index, public.raw)
        dummy = public.wrap(value, info=b"privity/v1/wrap" + DIGEST, ephemeral=ephemeral)
        slots.append(dummy if value else slot_of(KEY, DIGEST, index, public))
    return tuple(slots)


@pytest.mark.parametrize("numbers", [[1, 2], [0, 2], [0, 3], [2, 3]])
def test_p06_other_dummies_than_the_first_are_a_lie(numbers: list[int]) -> None:
    """One set of readers has one set of slots: a sender that may choose marks copies, or hides something."""
    readers = MEMBERS[:2]
    assert slots_with(readers, [0, 1]) == make_slots(KEY, DIGEST, readers, 4)
    assert set(find_readers(KEY, DIGEST, slots_with(readers, [0, 1]), MEMBERS) or ()) == set(readers)
    assert find_readers(KEY, DIGEST, slots_with(readers, numbers), MEMBERS) is None

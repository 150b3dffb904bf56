"""KeySlots: the content key wrapped once for each reader, and dummies up to the slot bucket.

Slots carry no name and no key id. A dummy is a real wrap, to a throwaway key, so that it has the form of
the others down to the last bit; random bytes would not do, as an X25519 public key never has its top bit
set. Order, ephemeral keys and dummies all come from the content key: to a non-reader they are random, and
whoever holds the key recomputes every slot, sees who the readers are, and proves a slot missing or wrong.

    slot buckets  4  8  16  32   (the sender is one of the readers)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from node.envelopes.content_key import ContentKey
from node.envelopes.transaction import SLOT_BUCKETS, SLOT_BYTES
from node.envelopes.wrapping import WRAP_OVERHEAD_BYTES, WrappingKey, WrappingPublicKey

_WRAP_DOMAIN = b"privity/v1/wrap"


def slot_bucket(readers: int) -> int | None:
    """The smallest slot bucket with room for so many readers, or None."""
    return next((bucket for bucket in SLOT_BUCKETS if readers <= bucket), None)


def make_slots(
    key: ContentKey, core_digest: bytes, readers: Sequence[WrappingPublicKey], bucket: int
) -> tuple[bytes, ...]:
    """The slots of 80 bytes, one for each reader and the rest dummies, in the order that `key` gives.

    The order of `readers` does not matter; no reader may come twice.
    """
    wraps = [(reader, key.raw) for reader in readers]
    for number in range(bucket - len(readers)):
        private, value = key.dummy(core_digest, number)
        wraps.append((WrappingKey.from_secret(private).public, value))
    wraps.sort(key=lambda wrap: key.place(core_digest, wrap[0].raw))
    return tuple(_slot(key, core_digest, index, reader, value) for index, (reader, value) in enumerate(wraps))


def open_slots(
    wrapping_key: WrappingKey, core_digest: bytes, slots: Sequence[bytes]
) -> Iterable[tuple[int, bytes]]:
    """Index and content of each slot that opens with this key, found by trying one after the other."""
    for index, slot in enumerate(slots):
        content = wrapping_key.unwrap(slot, info=_WRAP_DOMAIN + core_digest)
        if content is not None:
            yield index, content


def find_readers(
    key: ContentKey, core_digest: bytes, slots: Sequence[bytes], candidates: Iterable[WrappingPublicKey]
) -> list[WrappingPublicKey] | None:
    """The candidates that the slots are for, in slot order.

    None if the slots are not exactly those that `key` gives for some of the candidates: then the sender
    left a slot wrong, or made one for a stranger.
    """
    members = [(reader, None, key.raw) for reader in set(candidates)]
    # A full bucket has no dummies, and to make them costs more than to look.
    found = _walk(key, core_digest, slots, members) if len(members) >= len(slots) else None
    return found or _walk(key, core_digest, slots, [*members, *_dummies(key, core_digest, len(slots))])


_Candidate = tuple[WrappingPublicKey, int | None, bytes]  # For whom, the number of a dummy, what is wrapped.


def _dummies(key: ContentKey, core_digest: bytes, count: int) -> Iterable[_Candidate]:
    for number in range(count):
        private, value = key.dummy(core_digest, number)
        yield WrappingKey.from_secret(private).public, number, value


def _walk(
    key: ContentKey, core_digest: bytes, slots: Sequence[bytes], candidates: Sequence[_Candidate]
) -> list[WrappingPublicKey] | None:
    """As `find_readers`: the slots are sorted as candidates are, so each of these is looked at about once."""
    ordered = sorted(candidates, key=lambda each: key.place(core_digest, each[0].raw))
    readers: list[WrappingPublicKey] = []
    dummies: set[int] = set()
    start = 0
    for index, slot in enumerate(slots):
        for position in range(start, len(ordered)):
            reader, dummy, value = ordered[position]
            if _wraps(key, core_digest, index, reader, value, slot):
                break
        else:
            return None
        start = position + 1
        if dummy is None:
            readers.append(reader)
        else:
            dummies.add(dummy)
    return readers if dummies == set(range(len(slots) - len(readers))) else None


def is_slot_of(
    key: ContentKey, core_digest: bytes, index: int, reader: WrappingPublicKey, slot: bytes
) -> bool:
    """Whether `slot` is the wrap of this very key for that reader at that index."""
    return _wraps(key, core_digest, index, reader, key.raw, slot)


def slot_of(key: ContentKey, core_digest: bytes, index: int, reader: WrappingPublicKey) -> bytes:
    """The wrap of this key for that reader at that index, 80 bytes."""
    return _slot(key, core_digest, index, reader, key.raw)


def _wraps(
    key: ContentKey, core_digest: bytes, index: int, reader: WrappingPublicKey, value: bytes, slot: bytes
) -> bool:
    ephemeral = key.ephemeral(core_digest, index, reader.raw)
    return reader.is_wrap(slot, value, info=_WRAP_DOMAIN + core_digest, ephemeral=ephemeral)


def _slot(key: ContentKey, core_digest: bytes, index: int, reader: WrappingPublicKey, value: bytes) -> bytes:
    ephemeral = key.ephemeral(core_digest, index, reader.raw)
    return reader.wrap(value, info=_WRAP_DOMAIN + core_digest, ephemeral=ephemeral)


assert SLOT_BYTES == 32 + WRAP_OVERHEAD_BYTES

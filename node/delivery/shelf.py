"""The transient store: blobs that a sender handed over and that no block has ordered yet.

A receipt says that the blob is on the disk, so it is made durable before the receipt leaves. What one sender
may leave here is bounded, and it goes when its transaction can no longer be ordered.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from node.canonical import DecodeError, decode, encode
from node.chain.store import erase_file
from node.delivery.packets import BlobDelivery
from node.envelopes.transaction import BLOB_LIMIT, TRANSACTION_LIMIT
from node.private_files import make_private_folder, replace_private

FOLDER = "transient"
_LIMIT = BLOB_LIMIT + TRANSACTION_LIMIT + 256


@dataclass(frozen=True, slots=True)
class _Entry:
    sender: str
    size: int
    valid_until: int


class Shelf:
    """By transaction id; one file each in `folder/transient`. Limits are in transactions and bytes.

    Raises OSError when the disk refuses.
    """

    def __init__(
        self, folder: Path, *, most_per_sender: int = 2_000, most_bytes_per_sender: int = 32 << 20
    ) -> None:
        self._folder = make_private_folder(folder / FOLDER)
        self._limits = (most_per_sender, most_bytes_per_sender)
        self._entries: dict[bytes, _Entry] = {}
        self._used: dict[str, tuple[int, int]] = {}
        for path in self._folder.iterdir():
            delivery = read_delivery(path)
            if delivery is None or delivery.transaction.id.hex() != path.name:
                path.unlink(missing_ok=True)  # Half written, or nothing of ours.
            else:
                self._note(delivery, path.stat().st_size)

    def __contains__(self, identifier: bytes) -> bool:
        return identifier in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def identifiers(self) -> list[bytes]:
        """The ids of all that lie here."""
        return list(self._entries)

    def add(self, delivery: BlobDelivery) -> str | None:
        """Keep a checked delivery, durably; the reason if there is no room for it."""
        sender, encoded = delivery.transaction.header.core.sender, encode(delivery)
        count, used = self._used.get(sender, (0, 0))
        if count >= self._limits[0] or used + len(encoded) > self._limits[1]:
            return "over limit"
        replace_private(self._path(delivery.transaction.id), encoded)
        self._note(delivery, len(encoded))
        return None

    def get(self, identifier: bytes) -> BlobDelivery | None:
        """What was handed over for a transaction, or None if it is not here."""
        return read_delivery(self._path(identifier)) if identifier in self._entries else None

    def remove(self, identifier: bytes) -> None:
        """Take a blob away: it is in its place now, or its transaction was given up."""
        entry = self._entries.pop(identifier)
        count, used = self._used[entry.sender]
        self._used[entry.sender] = (count - 1, used - entry.size)
        if count == 1:
            del self._used[entry.sender]
        self._path(identifier).unlink(missing_ok=True)

    def erase(self, identifier: bytes) -> None:
        """Take a blob away that is to be nowhere any more: overwritten, then removed."""
        erase_file(self._path(identifier))
        self.remove(identifier)

    def expired(self, height: int) -> list[bytes]:
        """What can no longer be ordered after the block at this height."""
        return [each for each, entry in self._entries.items() if entry.valid_until <= height]

    def _note(self, delivery: BlobDelivery, size: int) -> None:
        core = delivery.transaction.header.core
        self._entries[delivery.transaction.id] = _Entry(core.sender, size, core.valid_until)
        count, used = self._used.get(core.sender, (0, 0))
        self._used[core.sender] = (count + 1, used + size)

    def _path(self, identifier: bytes) -> Path:
        return self._folder / identifier.hex()


def read_delivery(path: Path) -> BlobDelivery | None:
    """What lies in one file of the transient store; None if it is gone or damaged."""
    with contextlib.suppress(FileNotFoundError, DecodeError):
        return decode(BlobDelivery, path.read_bytes(), _LIMIT)
    return None

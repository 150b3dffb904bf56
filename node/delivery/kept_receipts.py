"""The receipts that a node holds for the transactions it reads: one file each, nothing secret in it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from node.canonical import DecodeError, decode, encode
from node.delivery.packets import RECEIPTS_LIMIT, SignedReceipt
from node.delivery.receipts import Receipts
from node.private_files import make_private_folder, open_private

FOLDER = "receipts"


class KeptReceipts:
    """By transaction id, in `folder/receipts`. Raises OSError when the disk refuses.

    They are not flushed one by one: what a power cut takes, the other readers give again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = make_private_folder(folder / FOLDER)

    def get(self, identifier: bytes) -> tuple[SignedReceipt, ...]:
        """The receipts for a transaction; their signatures were checked when they came."""
        with contextlib.suppress(FileNotFoundError, DecodeError):
            return decode(Receipts, (self._folder / identifier.hex()).read_bytes(), RECEIPTS_LIMIT)
        return ()

    def put(self, identifier: bytes, receipts: tuple[SignedReceipt, ...]) -> None:
        """Keep these, in place of those before."""
        path = self._folder / identifier.hex()
        with os.fdopen(open_private(path, os.O_WRONLY | os.O_TRUNC), "wb") as file:
            file.write(encode(receipts))

    def remove(self, identifier: bytes) -> None:
        """Forget those of a transaction that was never ordered."""
        (self._folder / identifier.hex()).unlink(missing_ok=True)

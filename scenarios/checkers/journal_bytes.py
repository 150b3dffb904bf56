"""The records of a journal, cut out of its file by other means than the node's."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

BEGINS = b"privity journal 1\n"
NETWORK_ID, HEAD = 32, 12


def records_of(path: Path) -> Iterator[bytes]:
    """Each record that is there as a whole, in order. Raises OSError; ValueError for damage."""
    data = path.read_bytes()
    if data and not data.startswith(BEGINS):
        raise ValueError("it does not begin like a journal")
    at = len(BEGINS) + NETWORK_ID
    while at + HEAD <= len(data):
        head = data[at : at + HEAD]
        if zlib.crc32(head[:4]) != int.from_bytes(head[4:8], "big"):
            raise ValueError(f"the head at byte {at} is damaged")
        at += HEAD
        body = data[at : at + int.from_bytes(head[:4], "big")]
        at += int.from_bytes(head[:4], "big")
        if at > len(data):
            return
        if zlib.crc32(body) != int.from_bytes(head[8:], "big"):
            if at == len(data):
                return  # Being written at this moment.
            raise ValueError(f"the record before byte {at} is damaged")
        yield body

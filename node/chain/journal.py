"""The journal: everything a node must remember, in the order in which it happened, in one file.

A record is its head and its canonical encoding. The head is the length, a CRC-32 of the length and one of
the encoding (4 bytes each, big-endian): a length that cannot be trusted would make damage look like a record
cut short. Appending is cheap; `sync` is one fdatasync, after which a vote may leave the node (R20). Indexes
can be rebuilt from here, and from nowhere else.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from consensus.certificates import BlockCertificate, CommitCertificate
from consensus.output import Record
from consensus.votes import MAX_BATCH, Batch
from node.canonical import DecodeError, decode, encode
from node.chain.block import BlockHeader
from node.errors import PrivityError
from node.wire import AnyTransaction

MAGIC = b"privity journal 1\n"
MAX_RECORD = 8 << 20
HEAD_BYTES = 12


class BodiesRecord(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=4):
    """The transactions that a proposal names, recorded before this replica votes for it (R7)."""

    transactions: Annotated[tuple[AnyTransaction, ...], msgspec.Meta(max_length=MAX_BATCH)]


class BlockRecord(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=5):
    """An executed block: its header, what was ordered, and the certificate that decided it."""

    header: BlockHeader
    batch: Batch
    certificate: CommitCertificate


class CertifiedRecord(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, tag=6):
    """The block certificate of a block recorded before."""

    certificate: BlockCertificate


JournalRecord = Record | BodiesRecord | BlockRecord | CertifiedRecord
_DECODER: msgspec.msgpack.Decoder[JournalRecord] = msgspec.msgpack.Decoder(JournalRecord)


class Journal:
    """One node's journal file, opened for this process alone.

    Opening reads nothing; `replay` yields what is there and must be used up before the first `append`.
    """

    # False where power cuts are only played (the virtual world): its own count says what one takes away.
    waits_for_disk = True

    def __init__(self, path: Path, network_id: bytes) -> None:
        self._path = path
        self._header = MAGIC + network_id
        self._read_only = False
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._end = 0
        self._dirty = False
        self.is_new = False  # Whether `replay` found no journal and began one.
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise PrivityError(
                "E-JOURNAL",
                "another process uses this journal",
                where=path.name,
                why="two nodes of one party would contradict each other",
                next="end the other node first",
            ) from None

    @classmethod
    def open_read_only(cls, path: Path, network_id: bytes) -> Journal:
        """A journal to `replay` beside the node that writes it. Raises OSError when there is none."""
        journal = cls.__new__(cls)
        journal._path = path
        journal._header = MAGIC + network_id
        journal._read_only = True
        journal._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        journal._end = 0
        journal._dirty = False
        journal.is_new = False
        return journal

    @property
    def end(self) -> int:
        """The length of the journal in bytes: where the next record will begin."""
        return self._end

    def replay(self) -> Iterator[tuple[int, JournalRecord]]:
        """Every record with its offset, in order.

        A last record that is cut short was never synced, hence nothing was said because of it: it is cut
        off (R21). Damage anywhere else raises PrivityError E-JOURNAL, for a node that has forgotten a vote
        must not vote.
        """
        data = self._path.read_bytes()
        if len(data) < len(self._header):
            if not self._header.startswith(data):
                raise self._damaged(0, "it does not begin like a journal")
            if self._read_only:
                return
            self.is_new = True
            self._truncate(0)
            self._write(self._header)
            self.sync()
            return
        if not data.startswith(self._header):
            raise self._damaged(0, "it is another network's journal, or its beginning is damaged")
        offset = len(self._header)
        while offset < len(data):
            head = data[offset : offset + HEAD_BYTES]
            if len(head) < HEAD_BYTES:
                break
            length = int.from_bytes(head[:4], "big")
            if _checksum(head[:4]) != head[4:8] or length > MAX_RECORD:
                raise self._damaged(offset, "the length of a record does not match its checksum")
            body = data[offset + HEAD_BYTES : offset + HEAD_BYTES + length]
            if len(body) < length:
                break
            if _checksum(body) != head[8:]:
                if self._read_only and offset + HEAD_BYTES + length == len(data):
                    break  # Being written at this moment.
                raise self._damaged(offset, "a record does not match its checksum")
            try:
                record = decode(_DECODER, body, MAX_RECORD)
            except DecodeError as error:
                raise self._damaged(offset, f"a record cannot be read ({error.reason})") from None
            yield offset, record
            offset += HEAD_BYTES + length
        if not self._read_only:
            # A process may have died between writing and syncing: what is repeated from here on, a later
            # power cut must not take away (R20).
            self._truncate(offset)
            self.sync()
        self._end = offset

    def append(self, record: JournalRecord) -> int:
        """Write a record at the end and give its offset. Durable only after `sync`. Raises OSError."""
        body = encode(record)
        assert len(body) <= MAX_RECORD, len(body)
        length = len(body).to_bytes(4, "big")
        offset = self._end
        self._write(length + _checksum(length) + _checksum(body) + body)
        return offset

    def sync(self) -> None:
        """Make everything appended durable. Raises OSError."""
        if self._dirty:
            if self.waits_for_disk:
                os.fdatasync(self._file)
            self._dirty = False

    def read(self, offset: int) -> JournalRecord:
        """The record at an offset that `append` or `replay` gave."""
        head = os.pread(self._file, HEAD_BYTES, offset)
        length = int.from_bytes(head[:4], "big")
        body = os.pread(self._file, min(length, MAX_RECORD), offset + HEAD_BYTES)
        if _checksum(head[:4]) != head[4:8] or _checksum(body) != head[8:]:
            raise self._damaged(offset, "a record does not match its checksum")
        return decode(_DECODER, body, MAX_RECORD)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, data: bytes) -> None:
        self._dirty = True
        written = 0
        try:
            while written < len(data):
                written += os.pwrite(self._file, data[written:], self._end + written)
        except OSError:
            # Half a record must not stay in the way of the next one.
            os.ftruncate(self._file, self._end)
            raise
        self._end += len(data)

    def _truncate(self, length: int) -> None:
        os.ftruncate(self._file, length)
        self._end = length
        self._dirty = True

    def _damaged(self, offset: int, why: str) -> PrivityError:
        return PrivityError(
            "E-JOURNAL",
            "the journal is damaged; this node does not vote",
            where=f"{self._path.name} at byte {offset}",
            why=why,
            next="keep the file for inquiry; the node may come back only under a new key",
        )


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")

"""All that a file holds, as bytes to search: the file itself, and what is packed inside it."""

from __future__ import annotations

import bz2
import importlib
import io
import lzma
import mmap
import re
import shutil
import sqlite3
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from scenarios.leaks.needles import Data

MAX_UNPACKED_BYTES = 1 << 30
MAX_DEPTH = 4
STEP_BYTES = 1 << 20
# Smaller files are read: one that shrinks while it is mapped, as a database's log may, would end the process.
MAPPED_FROM_BYTES = 64 << 20

SQLITE_MAGIC = b"SQLite format 3\0"
# A line of base64 and the beginning of another; or a PEM file, also one whose line ends are written as \n.
_LINES = re.compile(rb"(?:\A|\n)[A-Za-z0-9+/_-]{48,}\r?\n[A-Za-z0-9+/_-]|-----BEGIN ")
_LINE_ENDS = re.compile(rb"\\r|\\n|[\r\n]")


class CannotUnpack(Exception):
    """A file that cannot be searched to the bottom. The text names no content."""


def contents(path: Path) -> Iterator[tuple[str, Data]]:
    """Everything in the file as (where inside, bytes); ("", all of it) comes first.

    Raises CannotUnpack for what it recognises and cannot open, OSError as reading does.
    """
    with path.open("rb") as file:
        if file.seek(0, io.SEEK_END) < MAPPED_FROM_BYTES:
            file.seek(0)
            yield from _contents(path, file.read())
        else:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                yield from _contents(path, whole)


def _contents(path: Path, whole: Data) -> Iterator[tuple[str, Data]]:
    yield "", whole
    yield from _inside(whole, "", 0)
    if whole[: len(SQLITE_MAGIC)] == SQLITE_MAGIC:
        yield "!rows", _rows(path)


def _inside(data: Data, where: str, depth: int) -> Iterator[tuple[str, Data]]:
    """What is packed in the data, and in that, and so on."""
    if _LINES.search(data):
        # Base64 is broken into lines; without the line ends what lies across two of them is whole again.
        yield f"{where}!joined", _LINE_ENDS.sub(b"", data)
    for kind, unpacked in _unpacked(data):
        if depth == MAX_DEPTH:
            raise CannotUnpack(f"packed more than {MAX_DEPTH} times over")
        yield f"{where}!{kind}", unpacked
        yield from _inside(unpacked, f"{where}!{kind}", depth + 1)


def _unpacked(data: Data) -> Iterator[tuple[str, bytes]]:
    head = data[:6]
    for magic, kind, make in STREAMS:
        if head.startswith(magic) and (unpacked := _stream(make, data)):
            yield kind, unpacked
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        yield from _zstandard(data)
    if head.startswith(b"PK\x03\x04"):
        yield from _zip(data)


def _stream(make: Callable[[], Any], data: Data) -> bytes:
    """As much as can be unpacked: all parts of a chain, and what is whole of a torn one."""
    parts, size, rest = [], 0, data[:]
    while rest:
        decompressor = make()
        try:
            for at in range(0, len(rest), STEP_BYTES):
                parts.append(decompressor.decompress(rest[at : at + STEP_BYTES]))
                size += len(parts[-1])
                if size > MAX_UNPACKED_BYTES:
                    raise CannotUnpack(f"unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB")
                if decompressor.eof:
                    rest = decompressor.unused_data + rest[at + STEP_BYTES :]
                    break
            else:
                break
        except (zlib.error, lzma.LZMAError, OSError, EOFError):
            break
    return b"".join(parts)


STREAMS: tuple[tuple[bytes, str, Callable[[], Any]], ...] = (
    (b"\x1f\x8b\x08", "gzip", lambda: zlib.decompressobj(31)),
    (b"\x78\x01", "zlib", zlib.decompressobj),
    (b"\x78\x5e", "zlib", zlib.decompressobj),
    (b"\x78\x9c", "zlib", zlib.decompressobj),
    (b"\x78\xda", "zlib", zlib.decompressobj),
    (b"BZh", "bzip2", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", "xz", lzma.LZMADecompressor),
)


def _zstandard(data: Data) -> Iterator[tuple[str, bytes]]:
    try:
        zstd = importlib.import_module("compression.zstd")  # From Python 3.14 on.
    except ImportError:
        raise CannotUnpack("packed with Zstandard, which this Python cannot unpack") from None
    if unpacked := _stream(zstd.ZstdDecompressor, data):
        yield "zstd", unpacked


def _zip(data: Data) -> Iterator[tuple[str, bytes]]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data[:]))
    except zipfile.BadZipFile:
        return
    with archive:
        members = archive.infolist()
        yield "names", "\n".join(member.filename for member in members).encode("utf-8", "surrogateescape")
        if sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
            raise CannotUnpack(f"unpacks to more than {MAX_UNPACKED_BYTES >> 20} MiB")
        for number, member in enumerate(members, start=1):
            try:
                # A number, since the name of a member may itself be what is looked for.
                yield f"member {number}", archive.read(member)
            except (RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
                raise CannotUnpack(f"member {number} of the archive cannot be read") from None


def _rows(path: Path) -> bytes:
    """Every text and blob in the tables of an SQLite file, whole, its write-ahead log included.

    A long value lies in pieces on several pages, so the file's bytes alone do not show it. Deleted rows may
    remain in those bytes, which are searched as they are.
    """
    values: list[bytes] = []
    with tempfile.TemporaryDirectory(prefix="privity-") as folder:
        copy = Path(folder) / "copy"
        shutil.copyfile(path, copy)
        log = path.with_name(path.name + "-wal")
        if log.exists():
            shutil.copyfile(log, copy.with_name("copy-wal"))
        try:
            with closing(sqlite3.connect(copy)) as database:
                database.text_factory = bytes
                names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
                for (name,) in names:
                    quoted = name.decode().replace('"', '""')
                    for row in database.execute(f'SELECT * FROM "{quoted}"'):
                        values += [value for value in row if isinstance(value, bytes)]
        except sqlite3.DatabaseError:
            pass  # Damaged, or caught in the middle of a write: its bytes are searched all the same.
    return b"\n".join(values)

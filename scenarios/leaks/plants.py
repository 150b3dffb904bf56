"""Secrets that a leak scan hides to see whether it finds them: one for each form, container and place.

They are written by other means than those the search makes its patterns with, as programs that leak write.
"""

from __future__ import annotations

import base64
import binascii
import bz2
import gzip
import html
import io
import json
import lzma
import secrets
import sqlite3
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plant:
    """One hidden secret: the scan must report `form` at `path`, relative to the folder of the plants."""

    name: str
    path: str
    form: str


@dataclass(frozen=True, slots=True)
class Planted:
    """What was hidden, and where."""

    values: tuple[bytes, str]
    plants: tuple[Plant, ...]

    def __repr__(self) -> str:
        return f"Planted({len(self.plants)} plants)"


def plant(folder: Path) -> Planted:
    """Hide a fresh binary secret and a fresh text in `folder` in every way the scan claims to see through."""
    # All ones give / and _ in base64 wherever they begin, and no text encoding that is valid.
    binary = b"\xff\xff\xff" + secrets.token_bytes(16) + b"\xff\xff\xff"
    # Each character that some form writes in a way of its own.
    text = f'<{secrets.token_hex(6)}> "é€" & /\'\n100% {secrets.token_hex(6)} 🂡'
    plants: list[Plant] = []

    def hide(name: str, content: bytes, form: str, inside: str = "") -> None:
        file = f"{len(plants):02d}"
        (folder / file).write_bytes(content)
        plants.append(Plant(name, file + inside, form))

    _hide_forms(hide, binary, text)
    _hide_packed(hide, binary)
    plants.append(_hide_rows(folder, text))
    (folder / binary.hex()).touch()
    plants.append(Plant("name", "(a secret)", "hex, as a name"))
    return Planted((binary, text), tuple(plants))


Hide = Callable[..., None]


def _hide_forms(hide: Hide, binary: bytes, text: str) -> None:
    hide("raw", b"before" + binary + b"after", "raw")
    hide("raw text", f"before {text} after".encode(), "raw")
    hide("hex", b"key=" + binascii.hexlify(binary), "hex")
    hide("hex upper", b"".join(b"%02X" % byte for byte in b"before" + binary), "hex")
    for before in range(3):
        around = secrets.token_bytes(before) + binary + secrets.token_bytes(4)
        hide(f"base64 {before}", base64.standard_b64encode(around), "base64")
        hide(f"base64 {before} urlsafe", base64.urlsafe_b64encode(around).rstrip(b"="), "base64")
    long = secrets.token_bytes(40) + binary
    hide("base64 lines", base64.encodebytes(long + long), "base64", "!joined")
    pem = "-----BEGIN KEY-----\n" + base64.encodebytes(long).decode() + "-----END KEY-----\n"
    hide("base64 in json", json.dumps({"pem": pem}).encode(), "base64", "!joined")
    hide("json", json.dumps({"note": text}, ensure_ascii=False).encode(), "json")
    hide("json ascii", json.dumps([text]).encode(), "json")
    units = [text.encode("utf-16-be")[at : at + 2].hex() for at in range(0, len(text.encode("utf-16-be")), 2)]
    hide("json units", "".join(f"\\u{unit}" for unit in units).encode(), "json")
    hide("json units upper", "".join(f"\\u{unit.upper()}" for unit in units).encode(), "json")
    hide("json bytes", json.dumps(binary.decode("latin-1")).encode(), "json")
    hide("python", repr({"key": binary}).encode(), "python")
    hide("numbers", json.dumps({"key": list(binary)}).encode(), "numbers")
    hide("numbers compact", json.dumps(list(binary), separators=(",", ":")).encode(), "numbers")
    hide("url", urllib.parse.urlencode({"note": text}).encode(), "url")
    hide("url path", urllib.parse.quote(text).encode(), "url")
    hide("url bytes", "".join(f"%{byte:02x}" for byte in binary).encode(), "url")
    hide("html", f"<p title='{html.escape(text)}'>".encode(), "html")
    hide("utf-16 little", f"before {text}".encode("utf-16-le"), "utf-16")
    hide("utf-16 big", f"before {text}".encode("utf-16-be"), "utf-16")
    hide("utf-16 hex", ("x" + binary.hex()).encode("utf-16-le"), "utf-16")


def _hide_packed(hide: Hide, binary: bytes) -> None:
    content = secrets.token_bytes(100) + binary + bytes(10_000)
    hide("gzip", gzip.compress(content), "raw", "!gzip")
    hide("gzip second part", gzip.compress(bytes(99)) + gzip.compress(content), "raw", "!gzip")
    hide("gzip torn", gzip.compress(content)[:-12], "raw", "!gzip")
    hide("zlib", zlib.compress(content), "raw", "!zlib")
    hide("bzip2", bz2.compress(content), "raw", "!bzip2")
    hide("xz", lzma.compress(content), "raw", "!xz")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("first", b"nothing")
        writer.writestr(f"{binary.hex()}.json", content)
    hide("zip", archive.getvalue(), "raw", "!member 2")
    hide("zip name", archive.getvalue(), "hex", "!names")
    hide("zip in gzip", gzip.compress(archive.getvalue()), "raw", "!gzip!member 2")


def _hide_rows(folder: Path, text: str) -> Plant:
    """A value so long that SQLite breaks it over pages, with the secret at every place where it may break."""
    value = (text + "·") * 300
    with closing(sqlite3.connect(folder / "rows.sqlite")) as database, database:
        database.execute("CREATE TABLE held (value TEXT)")
        database.execute("INSERT INTO held VALUES (?)", (value,))
    return Plant("sqlite rows", "rows.sqlite!rows", "raw")

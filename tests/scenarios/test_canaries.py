"""The leak scan finds a secret in every form and place, and says nothing of one that is where it may be."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import re
import sqlite3
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote_plus

import pytest

from scenarios.leaks import canaries, secret_forms
from scenarios.leaks.canaries import Artefact, Finding, ScanBroken, Secret, scan
from scenarios.leaks.secret_forms import SHORTEST_BYTES
from scenarios.processes.capture import Captured, encode_record

KEY = bytes.fromhex(
    "00ff3fbe7d0a225c01fe80a0c1e2f304"
)  # With a quote, a line end, a backslash, bits all ones.
NOTE = 'Müller & Søn: "40 buses"\n€ 9/ea'


def found(path: Path, *values: bytes | str, owner: str | None = None, **arguments: object) -> list[Finding]:
    """What a scan of `path` finds of these values, which alice alone may read."""
    wanted = [Secret(frozenset({"alice"}), "test", value) for value in values]
    return list(scan(wanted, [Artefact(path, owner)], **arguments).found)


def forms_in(tmp_path: Path, content: bytes, value: bytes | str) -> set[str]:
    path = tmp_path / "log"
    path.write_bytes(content)
    return {finding.form for finding in found(path, value)}


def paths_in(folder: Path) -> set[str]:
    return {finding.path for finding in found(folder, KEY, root=folder)}


WRITTEN: dict[str, tuple[str, Callable[[], bytes], bytes | str]] = {
    "as it is": ("raw", lambda: b"key " + KEY + b" end", KEY),
    "text as it is": ("raw", lambda: f"note {NOTE} end".encode(), NOTE),
    "hex": ("hex", lambda: f"key={KEY.hex()};".encode(), KEY),
    "hex in capitals": ("hex", lambda: f"key={KEY.hex().upper()};".encode(), KEY),
    "hex of text": ("hex", lambda: NOTE.encode().hex().encode(), NOTE),
    "base64": ("base64", lambda: base64.b64encode(KEY), KEY),
    "base64, one byte later": ("base64", lambda: base64.b64encode(b"a" + KEY + b"bc"), KEY),
    "base64, two bytes later": ("base64", lambda: base64.b64encode(b"ab" + KEY + b"bcd"), KEY),
    "base64 for URLs": ("base64", lambda: base64.urlsafe_b64encode(KEY).rstrip(b"="), KEY),
    "base64 for URLs, later": ("base64", lambda: base64.urlsafe_b64encode(b"ab" + KEY), KEY),
    "base64 in lines": ("base64", lambda: base64.encodebytes(bytes(50) + KEY + bytes(50)), KEY),
    "JSON": ("json", lambda: json.dumps({"note": NOTE}, ensure_ascii=False).encode(), NOTE),
    "JSON in ASCII": ("json", lambda: json.dumps({"note": NOTE}).encode(), NOTE),
    "JSON in ASCII capitals": (
        "json",
        lambda: re.sub(r"\\u....", lambda it: it[0][:2] + it[0][2:].upper(), json.dumps(NOTE)).encode(),
        NOTE,
    ),
    "JSON with slashes": ("json", lambda: json.dumps(NOTE).replace("/", "\\/").encode(), NOTE),
    "JSON, all escaped": ("json", lambda: "".join(f"\\u{ord(it):04x}" for it in NOTE).encode(), NOTE),
    "JSON of bytes": ("json", lambda: json.dumps(KEY.decode("latin-1")).encode(), KEY),
    "Python bytes": ("python", lambda: f"error near {KEY!r}".encode(), KEY),
    "Python bytearray": ("python", lambda: repr([bytearray(KEY)]).encode(), KEY),
    "Python text": ("python", lambda: repr({"x": "bus \x07 stop"}).encode(), "bus \x07 stop"),
    "numbers": ("numbers", lambda: json.dumps(list(KEY)).encode(), KEY),
    "URL": ("url", lambda: quote_plus(NOTE).encode(), NOTE),
    "URL in small letters": (
        "url",
        lambda: re.sub("%..", lambda it: it[0].lower(), quote_plus(NOTE)).encode(),
        NOTE,
    ),
    "URL, all escaped": ("url", lambda: "".join(f"%{it:02X}" for it in KEY).encode(), KEY),
    "HTML": (
        "html",
        lambda: b"<b>M\xc3\xbcller &amp; S\xc3\xb8n: &#34;40 buses&#34;\n\xe2\x82\xac 9/ea</b>",
        NOTE,
    ),
    "UTF-16 little-endian": ("utf-16", lambda: f"note {NOTE}".encode("utf-16-le"), NOTE),
    "UTF-16 big-endian": ("utf-16", lambda: f"note {NOTE}".encode("utf-16-be"), NOTE),
    "UTF-16 of hex": ("utf-16", lambda: KEY.hex().encode("utf-16-le"), KEY),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_every_form_is_found(tmp_path: Path, way: str) -> None:
    """A secret written in this form is found, and the finding names the form."""
    form, write, value = WRITTEN[way]
    assert form in forms_in(tmp_path, write(), value)


@pytest.mark.parametrize("way", WRITTEN)
def test_nothing_is_found_that_is_not_there(tmp_path: Path, way: str) -> None:
    """With one bit of it changed, the same text in the same form is no finding."""
    _, write, value = WRITTEN[way]
    raw = value.encode() if isinstance(value, str) else value
    other = bytes([*raw[:5], raw[5] ^ 1, *raw[6:]])
    assert set() == forms_in(tmp_path, write(), other)


def test_the_tests_cover_every_form() -> None:
    """No form is claimed that no test above writes."""
    assert set(secret_forms.FORMS) == {form for form, _, _ in WRITTEN.values()}


@pytest.mark.parametrize("before", range(24))
@pytest.mark.parametrize("value", [KEY, KEY[:SHORTEST_BYTES], "eightchr", NOTE])
def test_a_secret_is_found_wherever_it_begins(tmp_path: Path, before: int, value: bytes | str) -> None:
    """The offset of the finding is the place of the secret, whatever stands before it."""
    raw = value.encode() if isinstance(value, str) else value
    (tmp_path / "log").write_bytes(b"x" * before + raw)
    assert [(before, "raw")] == [(it.offset, it.form) for it in found(tmp_path / "log", value)]


def _zip(content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("inner", content)
    return archive.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zlib, fast": lambda content: zlib.compress(content, 1),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": _zip,
    "gzip in zip": lambda content: _zip(gzip.compress(content)),
    "zip in xz in gzip": lambda content: gzip.compress(lzma.compress(_zip(content))),
    "gzip, cut short": lambda content: gzip.compress(content + os.urandom(1000))[:-500],
}


@pytest.mark.parametrize("packer", PACKERS)
def test_packed_artefacts_are_unpacked(tmp_path: Path, packer: str) -> None:
    """A secret in a compressed file is found, also where the name of the file does not tell."""
    content = b"before " + KEY + b" after " * 100
    packed = PACKERS[packer](content)
    assert KEY not in packed
    (tmp_path / "artefact").write_bytes(packed)
    assert {"raw"} == {finding.form for finding in found(tmp_path, KEY)}


def test_what_cannot_be_unpacked_is_not_called_clean(tmp_path: Path) -> None:
    """An archive that is recognised and cannot be read breaks the scan instead of passing it."""
    damaged = bytearray(_zip(os.urandom(500)))
    damaged[60] ^= 0xFF
    (tmp_path / "archive").write_bytes(bytes(damaged))
    with pytest.raises(ScanBroken, match="archive could not be searched"):
        found(tmp_path, KEY)


def test_packed_over_and_over_is_not_called_clean(tmp_path: Path) -> None:
    """What is packed more often than the scan will unpack breaks it."""
    content = KEY
    for _ in range(9):
        content = gzip.compress(content)
    (tmp_path / "matryoshka").write_bytes(content)
    with pytest.raises(ScanBroken, match="packed more than"):
        found(tmp_path, KEY)


def test_a_database_is_searched_with_its_log_and_its_deleted_rows(tmp_path: Path) -> None:
    """In SQLite a secret is found in the write-ahead log and in what deleted rows left behind."""
    path = tmp_path / "index.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA secure_delete = OFF")
        database.execute("CREATE TABLE held (value)")
        database.execute("INSERT INTO held VALUES (?)", (b"in the log " + KEY,))
        database.commit()
        assert KEY not in path.read_bytes()
        assert {"index.sqlite-wal", "index.sqlite!rows"} <= paths_in(tmp_path)
        database.execute("DELETE FROM held")
        database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert {"index.sqlite"} == paths_in(tmp_path)
        database.execute("PRAGMA secure_delete = ON")
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert set() == paths_in(tmp_path)


def test_a_value_that_a_database_breaks_over_pages_is_found(tmp_path: Path) -> None:
    """A secret that lies half on one page and half on another is found in the rows, where it is whole."""
    path = tmp_path / "index.sqlite"
    # SQLite fills the overflow pages of a value from its end: 4096 bytes less a pointer of 4 on each.
    value = bytes(5000) + KEY + bytes(4096 - 4 - len(KEY) // 2)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA page_size = 4096")
        database.execute("CREATE TABLE held (value)")
        database.execute("INSERT INTO held VALUES (?)", (value,))
    assert KEY not in path.read_bytes()
    assert {"index.sqlite!rows"} == paths_in(tmp_path)


def test_the_capture_of_the_broker_is_searched(tmp_path: Path) -> None:
    """A secret in a payload or in a topic of the recorder's capture is found."""
    for at, record in enumerate((Captured(1, "t", b"x" + KEY, False), Captured(1, KEY.hex(), b"", False))):
        (tmp_path / "capture.bin").write_bytes(encode_record(record))
        assert [("raw", "hex")[at]] == [it.form for it in found(tmp_path, KEY)]


def test_names_of_files_and_folders_are_searched_and_not_repeated(tmp_path: Path) -> None:
    """A secret in a name is found, and no finding below that place shows it."""
    folder = tmp_path / f"tx-{KEY.hex()}"
    folder.mkdir()
    (folder / "blob").write_bytes(KEY)
    findings = found(tmp_path, KEY)
    assert {"hex, as a name", "raw"} == {it.form for it in findings}
    assert KEY.hex() not in repr(findings)


def test_the_owner_of_a_store_may_have_what_it_may_read(tmp_path: Path) -> None:
    """In alice's store alice's secret is no finding; in bob's and in nobody's it is one (P27)."""
    for name in ("alice", "bob", "broker"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "journal").write_bytes(b"..." + KEY)
    stores = [
        Artefact(tmp_path / name, owner)
        for name, owner in (("alice", "alice"), ("bob", "bob"), ("broker", None))
    ]
    result = scan([Secret(frozenset({"alice", "carol"}), "content key", KEY)], stores)
    assert [it.path for it in result.found] == ["bob/journal", "broker/journal"]
    assert {("content key", 3)} == {(it.kind, it.offset) for it in result.found}


def test_a_secret_of_nobody_is_searched_everywhere(tmp_path: Path) -> None:
    """A secret without readers is a finding in every store."""
    (tmp_path / "alice").write_bytes(KEY)
    assert len(scan([Secret(frozenset(), "share", KEY)], [Artefact(tmp_path / "alice", "alice")]).found) == 1


def test_what_one_was_told_elsewhere_is_no_leak(tmp_path: Path) -> None:
    """A value that two transactions tell to different parties is known to all of them, and counts once."""
    (tmp_path / "bob").write_text("electric bus")
    told = [Secret(frozenset({name}), "leaf", "electric bus") for name in ("alice", "bob")]
    result = scan(told, [Artefact(tmp_path / "bob", "bob")])
    assert (result.searched, result.found) == (1, ())


@pytest.mark.parametrize("form", ["utf-8", "utf-16-le", "hex", "base64"])
def test_a_part_of_what_one_may_read_is_no_leak(tmp_path: Path, form: str) -> None:
    """A secret within a longer one is no finding where the longer may be, but is where it stands alone."""
    wanted = [
        Secret(frozenset({"alice"}), "leaf", "electric bus"),
        Secret(frozenset({"bob"}), "leaf", "40 electric busses"),
    ]

    def write(text: str) -> bytes:
        if form == "hex":
            return text.encode().hex().encode()
        return base64.b64encode(text.encode()) if form == "base64" else text.encode(form)

    store = Artefact(tmp_path / "bob", "bob")
    store.path.write_bytes(write("40 electric busses"))
    assert scan(wanted, [store]).found == ()
    store.path.write_bytes(write("40 electric busses") + b"\n" + write("an electric bus"))
    assert len(scan(wanted, [store]).found) == 1


def test_public_values_are_not_searched_for_and_that_is_counted(tmp_path: Path) -> None:
    """A value that stands in a public text anyway is left out and counted apart."""
    (tmp_path / "log").write_text("the City Transport Office wrote")
    assert len(found(tmp_path, "Transport")) == 1
    wanted = [Secret(frozenset(), "leaf", value) for value in ("Transport", "never seen")]
    result = scan(wanted, [Artefact(tmp_path, None)], public=["City Transport Office"])
    assert (result.searched, result.public, result.found) == (1, 1, ())


def test_searched_counts_distinct_secrets_however_many_passes_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets beyond what one pass can hold are looked for in further passes; each value counts once."""
    monkeypatch.setattr(canaries, "SECRETS_PER_PASS", 7)
    values = [os.urandom(16) for _ in range(40)]
    (tmp_path / "log").write_bytes(b"|".join(values[::10]))
    wanted = [Secret(frozenset(), "canary", value) for value in values * 2]
    result = scan(wanted, [Artefact(tmp_path, None)])
    assert (result.searched, [it.offset for it in result.found]) == (40, [0, 17, 34, 51])
    assert (result.files, result.bytes_read) == (1, 67)


def test_one_leak_is_reported_once_for_each_form_and_file(tmp_path: Path) -> None:
    """A thousand repetitions in one file are one finding, at the first place."""
    (tmp_path / "log").write_bytes(KEY * 1000 + KEY.hex().encode() * 1000)
    assert [(it.offset, it.form) for it in found(tmp_path, KEY)] == [(0, "raw"), (16000, "hex")]


def test_paths_are_relative_to_the_root(tmp_path: Path) -> None:
    """A finding's path is relative to the given root, or to what the artefacts have in common."""
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "journal").write_bytes(KEY)
    assert [it.path for it in found(tmp_path / "nodes", KEY)] == ["nodes/journal"]
    assert [it.path for it in found(tmp_path / "nodes", KEY, root=tmp_path / "nodes")] == ["journal"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """What a store only links to is not in it: it is searched where it lies, with the owner it has there."""
    (tmp_path / "alice").write_bytes(KEY)
    (tmp_path / "bob").mkdir()
    (tmp_path / "bob" / "link").symlink_to(tmp_path / "alice")
    assert found(tmp_path / "bob", KEY, owner="bob") == []


def test_a_missing_artefact_is_not_called_clean(tmp_path: Path) -> None:
    """A path with nothing there, and no path at all, break the scan."""
    with pytest.raises(ScanBroken):
        found(tmp_path / "typo", KEY)
    with pytest.raises(ScanBroken):
        scan([], [])


@pytest.mark.parametrize("value", ["", "sevench", b"1234567"])
def test_a_short_value_is_no_secret(value: bytes | str) -> None:
    """Less than eight bytes would be found by chance: that is refused, and the message does not quote it."""
    with pytest.raises(ValueError) as refused:
        Secret(frozenset(), "leaf", value)
    assert not value or str(value) not in str(refused.value)


def test_nothing_shows_a_secret(tmp_path: Path) -> None:
    """The text forms of secrets, findings and results do not have the secret in them."""
    (tmp_path / "log").write_text(NOTE)
    secret = Secret(frozenset({"alice"}), "leaf", NOTE)
    result = scan([secret], [Artefact(tmp_path, None)])
    assert len(result.found) == 1
    assert "Müller" not in repr(secret) + repr(result) + str(result.found)

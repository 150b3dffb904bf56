"""A second opinion on who can read what: no code of ours, no list of recipients, no plan, everything tried.

It is given what one party could have: its own folder with its keys, and all that the broker carried. Bytes
are taken apart as MessagePack, whatever they are said to be; each slot, share, release and 32-byte string
that turns up anywhere is tried on each ciphertext that turns up anywhere. Only `cryptography`, `msgpack` and
PyCryptodome are used, and the description of the format in node/envelopes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgpack
from Crypto.Protocol.SecretSharing import Shamir
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
_ARRAYS = (*range(0x90, 0xA0), 0xDC, 0xDD)
MOST_OPENERS = 16
Said = tuple[Any, ...]


@dataclass(slots=True)
class Found:
    """What lies in some bytes: transactions by id, blobs by hash of their ciphertext, releases, strings."""

    transactions: dict[bytes, list[Any]] = field(default_factory=dict)
    blobs: dict[bytes, list[list[Any]]] = field(default_factory=dict)
    releases: dict[tuple[bytes, bytes], None] = field(default_factory=dict)
    strings: set[bytes] = field(default_factory=set)
    _seen: set[bytes] = field(default_factory=set)

    def take(self, data: bytes) -> None:
        """Take apart what may be MessagePack, and what is in it."""
        if len(data) < 2 or data[0] not in _ARRAYS or (digest := sha256(data).digest()) in self._seen:
            return
        self._seen.add(digest)
        try:
            value = msgpack.unpackb(data, strict_map_key=False)
        except Exception:  # It is something else.
            return
        self.walk(value)

    def walk(self, value: Any) -> None:
        """Look at what was taken apart, and into all that is in it."""
        if isinstance(value, bytes):
            if len(value) == 32:
                self.strings.add(value)
            self.take(value)
        elif isinstance(value, list):
            self._look(value)
            for each in value:
                self.walk(each)

    def _look(self, value: list[Any]) -> None:
        match value:
            case [1, [[bytes() as network, *_] as core, bytes(), bytes()] as header, bytes()] if (
                len(network) == 32 and len(core) >= 13
            ):
                self.transactions[sha256(b"privity/v1/tx\0" + msgpack.packb(header)).digest()] = header
            case [bytes() as ciphertext, [*slots], [*_]] if slots and isinstance(slots[0], bytes):
                digest = sha256(b"privity/v1/ciphertext\0" + ciphertext).digest()
                if value not in self.blobs.setdefault(digest, []):
                    self.blobs[digest].append(value)
            case [11, bytes() as tx, [*wraps]] if len(tx) == 32:
                self.releases |= {(tx, wrap): None for wrap in wraps}


@dataclass(slots=True)
class Knowledge:
    """What a party can read of one transaction: leaves by path. `key`: whether it has the content key."""

    key: bool = False
    leaves: dict[Said, Any] = field(default_factory=dict)


def of_capture(path: Path, found: Found, until_ms: float = float("inf")) -> Found:
    """Take apart all that a broker carried up to this time of the capture."""
    data, at = path.read_bytes(), 0
    while at + 4 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        record = data[at + 4 : at + 4 + length]
        at += 4 + length
        if msgpack.unpackb(record)[0] <= until_ms:
            found.take(record)
    return found


def of_folder(folder: Path, found: Found) -> Found:
    """Take apart the files of a node: its journal record by record, every other file as a whole."""
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        data = path.read_bytes()
        if path.name != "journal":
            found.take(data)
            continue
        at = data.index(b"\n") + 1
        while at + 12 <= len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            found.take(data[at + 12 : at + 12 + length])
            at += 12 + length
    return found


def wrapping_keys(folder: Path) -> list[x25519.X25519PrivateKey]:
    """The X25519 keys in a node's folder."""
    keys = []
    for path in folder.rglob("*.pem"):
        key = load_pem_private_key(path.read_bytes(), None)
        if isinstance(key, x25519.X25519PrivateKey):
            keys.append(key)
    return keys


class Decryptor:
    """Tries everything that was found, with these keys: of one party, or of some who collude."""

    def __init__(self, found: Found, keys: Iterable[x25519.X25519PrivateKey]) -> None:
        self._found = found
        self._keys = list(keys)
        self._headers = found.transactions
        self._commits = {header[0][9]: tx for tx, header in self._headers.items()}
        self.known: dict[bytes, Knowledge] = {}
        self._tried: set[bytes] = set()

    def run(self) -> dict[bytes, Knowledge]:
        """By transaction id: all that can be read, until nothing new comes of it."""
        for tx, header in self._headers.items():
            self._try_slots(header)
            self._try_shares(tx, header)
        while new := self._found.strings - self._tried:
            for value in new:  # A content key that lies about somewhere: in a proof, in a payload, anywhere.
                self._tried.add(value)
                self._try_key(value)
        return self.known

    def _blobs(self, header: list[Any]) -> Iterator[list[Any]]:
        yield from self._found.blobs.get(header[1], ())

    def _unwrap(self, wrap: bytes, info: bytes) -> Iterator[bytes]:
        for key in self._keys:
            try:
                yield _SUITE.decrypt(wrap, key, info=info)
            except (InvalidTag, ValueError):
                continue

    def _try_slots(self, header: list[Any]) -> None:
        info = b"privity/v1/wrap" + _core_digest(header)
        for blob in self._blobs(header):
            for slot in blob[1]:
                for opened in self._unwrap(slot, info):
                    self._try_key(opened)

    def _try_shares(self, tx: bytes, header: list[Any]) -> None:
        """Own shares and released ones; every set of them that may be enough."""
        points: dict[int, bytes] = {}
        for number in range(1, MOST_OPENERS + 1):
            place = number.to_bytes(2, "big")
            wraps = [
                (wrap, b"privity/v1/share-wrap" + _core_digest(header))
                for blob in self._blobs(header)
                for wrap in blob[2]
            ]
            wraps += [
                (wrap, b"privity/v1/release-wrap" + tx) for of, wrap in self._found.releases if of == tx
            ]
            for wrap, info in wraps:
                for opened in self._unwrap(wrap, info + place):
                    points.setdefault(number, opened[:32])
        for size in range(1, len(points) + 1):
            for some in itertools.combinations(sorted(points), size):
                self._try_key(_combine({number: points[number] for number in some}))

    def _try_key(self, key: bytes) -> None:
        if len(key) != 32 or (tx := self._commits.get(_derive(key, b"privity/v1/key-commit"))) is None:
            return
        header = self._headers[tx]
        known = self.known.setdefault(tx, Knowledge())
        known.key = True
        for blob in self._blobs(header):
            try:
                cipher = AESGCM(_derive(key, b"privity/v1/encrypt"))
                plain = cipher.decrypt(bytes(12), blob[0], _core_digest(header))
            except InvalidTag:
                continue
            content = msgpack.unpackb(plain[4 : 4 + int.from_bytes(plain[:4], "big")])
            self._found.walk(content)
            self._learn(tx, content[1])

    def _learn(self, tx: bytes, leaves: Iterable[list[Any]]) -> None:
        known = self.known.setdefault(tx, Knowledge())
        for _, path, value in leaves:
            if path == ["_disclosure"]:
                package = msgpack.unpackb(value)
                opening = package[6]
                shown = opening[2] if opening[0] == 2 else [leaf for _, leaf in opening[3]]
                self._learn(package[2], shown)
            elif not str(path[0]).startswith("_"):
                known.leaves[tuple(path)] = value


def _core_digest(header: list[Any]) -> bytes:
    return sha256(b"privity/v1/core\0" + msgpack.packb(header[0])).digest()


def _derive(key: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, None, info).derive(key)


def _combine(points: dict[int, bytes]) -> bytes:
    halves = ([(at, value[half : half + 16]) for at, value in points.items()] for half in (0, 16))
    return b"".join(bytes(Shamir.combine(half, False)) for half in halves)

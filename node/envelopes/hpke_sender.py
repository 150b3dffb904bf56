"""The sender's half of HPKE base mode, single shot, with a given ephemeral key: RFC 9180.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The library that opens takes no ephemeral key from its
caller when it seals, so its own X25519, HKDF and AES-GCM are put together here, as sections 4.1, 5.1 and
6.1 say. It is tested with the RFC's vectors, against that library's opening, and against PyHPKE, which takes
twice as long.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

_SHA256 = hashes.SHA256()
_NO_SALT = bytes(32)
_KEM_X25519, _KDF_SHA256, _AEAD_AES_256_GCM = b"\x00\x20", b"\x00\x01", b"\x00\x02"
_KEM_SUITE = b"KEM" + _KEM_X25519
_SUITE = b"HPKE" + _KEM_X25519 + _KDF_SHA256 + _AEAD_AES_256_GCM
_BASE_MODE = b"\x00"
_KEY_BYTES, _NONCE_BYTES = 32, 12


def _extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return HKDF.extract(_SHA256, salt, b"HPKE-v1" + suite + label + material)


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, length: int) -> bytes:
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return HKDFExpand(_SHA256, length, labelled).derive(key)


_NO_PSK = _extract(_SUITE, _NO_SALT, b"psk_id_hash", b"")


def encapsulate(ephemeral: bytes) -> tuple[x25519.X25519PrivateKey, bytes]:
    """The private key object, and the encapsulated key of 32 bytes, that an ephemeral key gives."""
    private = x25519.X25519PrivateKey.from_private_bytes(ephemeral)
    return private, private.public_key().public_bytes_raw()


def seal_to(
    reader: x25519.X25519PublicKey,
    reader_raw: bytes,
    secret: bytes,
    info: bytes,
    ephemeral: x25519.X25519PrivateKey,
    encapsulated: bytes,
) -> bytes:
    """The secret for the reader, encrypted under `info`, without associated data; 16 bytes longer."""
    shared = _extract(_KEM_SUITE, _NO_SALT, b"eae_prk", ephemeral.exchange(reader))
    shared = _expand(_KEM_SUITE, shared, b"shared_secret", encapsulated + reader_raw, 32)
    context = _BASE_MODE + _NO_PSK + _extract(_SUITE, _NO_SALT, b"info_hash", info)
    scheduled = _extract(_SUITE, shared, b"secret", b"")
    key = _expand(_SUITE, scheduled, b"key", context, _KEY_BYTES)
    nonce = _expand(_SUITE, scheduled, b"base_nonce", context, _NONCE_BYTES)
    return AESGCM(key).encrypt(nonce, secret, b"")

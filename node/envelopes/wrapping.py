"""Wrapping a secret for one reader: HPKE base mode (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM.

The library that opens takes no ephemeral key from its caller when it wraps, so hpke_sender.py wraps and
`cryptography` opens; both are tested with the RFC's vectors.
"""

from __future__ import annotations

from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke, serialization
from cryptography.hazmat.primitives.asymmetric import x25519

from node.canonical import DecodeError
from node.envelopes.entropy import Entropy
from node.envelopes.hpke_sender import encapsulate, seal_to

WRAPPING_KEY_BYTES = 32
WRAP_OVERHEAD_BYTES = 32 + 16
"""What a wrap adds to what it wraps: the encapsulated public key and the AES-GCM tag."""

_PRIME = 2**255 - 19
_OPENING = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
# Any private key shows a point of small order: the shared secret is zero, which the library refuses.
_PROBE = x25519.X25519PrivateKey.from_private_bytes(bytes(31) + b"\x40")


class WrappingPublicKey:
    """The public half of a wrapping key: what one wraps for this reader with.

    `raw` is the u-coordinate of 32 bytes (RFC 7748), in its only canonical form.
    """

    __slots__ = ("_key", "raw")

    def __init__(self, key: x25519.X25519PublicKey) -> None:
        self.raw = key.public_bytes_raw()
        self._key = key

    @classmethod
    def from_bytes(cls, raw: bytes) -> WrappingPublicKey:
        """The key with these bytes.

        Raises DecodeError for a wrong length, for a second encoding of the same point (which would make
        two keys of one), and for the points of small order, which agree on a secret with nobody.
        """
        if len(raw) != WRAPPING_KEY_BYTES or int.from_bytes(raw, "little") >= _PRIME:
            raise DecodeError("wrapping_key")
        key = x25519.X25519PublicKey.from_public_bytes(raw)
        try:
            _PROBE.exchange(key)
        except ValueError:
            raise DecodeError("wrapping_key") from None
        return cls(key)

    def wrap(self, secret: bytes, *, info: bytes, ephemeral: bytes) -> bytes:
        """HPKE base mode, single shot: the encapsulated key (32 bytes), then the sealed secret.

        `ephemeral` is the 32-byte private key of the encapsulation. Derived from the fresh content key
        and never used for another secret or `info`, it makes the wrap one that its holder can recompute
        (derandomised, Fujisaki and Okamoto 1999).
        """
        private, encapsulated = encapsulate(ephemeral)
        return encapsulated + seal_to(self._key, self.raw, secret, info, private, encapsulated)

    def is_wrap(self, wrapped: bytes, secret: bytes, *, info: bytes, ephemeral: bytes) -> bool:
        """Whether `wrap` gives this; the encapsulated key alone nearly always tells."""
        private, encapsulated = encapsulate(ephemeral)
        if not wrapped.startswith(encapsulated):
            return False
        return encapsulated + seal_to(self._key, self.raw, secret, info, private, encapsulated) == wrapped

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WrappingPublicKey) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash((WrappingPublicKey, self.raw))

    def __repr__(self) -> str:
        return f"WrappingPublicKey({self.raw.hex()[:8]})"


class WrappingKey:
    """An X25519 key. It opens what was wrapped for it, and does nothing else."""

    __slots__ = ("_key", "public")

    def __init__(self, key: x25519.X25519PrivateKey) -> None:
        self._key = key
        self.public = WrappingPublicKey(key.public_key())

    @classmethod
    def generate(cls, entropy: Entropy) -> WrappingKey:
        """A new key from 32 bytes of entropy."""
        return cls.from_secret(entropy(32))

    @classmethod
    def from_secret(cls, secret: bytes) -> WrappingKey:
        """The key with this private number of 32 bytes."""
        return cls(x25519.X25519PrivateKey.from_private_bytes(secret))

    def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes | None:
        """What was wrapped for this key under `info`, or None if it was not. Never raises."""
        try:
            return _OPENING.decrypt(wrapped, self._key, info=info)
        except InvalidTag:
            return None

    def to_pem(self) -> bytes:
        """The private key as PKCS8 PEM, not encrypted: for a file that only its owner can read."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def secret_bytes(self) -> bytes:
        """The private number, 32 bytes little-endian: to compare roles and to search for leaks."""
        return self._key.private_bytes_raw()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not pickled")

    def __repr__(self) -> str:
        return f"WrappingKey(secret, public {self.public.raw.hex()[:8]})"
